using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FedKSeed.Cli.Run;

/// <summary>A host within a verb, which decides what there is to read, to say and to hear.</summary>
internal static class VerbHost
{
    /// <param name="isVerbose">Logs go to the error stream; else nowhere.</param>
    public static HostApplicationBuilder CreateBuilder(bool isVerbose)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddSingleton<IHostLifetime, DeafLifetime>();
        if (isVerbose)
            builder.Logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        return builder;
    }

    /// <summary>
    /// Signals are the verb's to hear (<see cref="Interruption"/>): a host that hears one too stops its parts while the verb still works
    /// with them, and what they throw then looks like a failure of theirs.
    /// </summary>
    private sealed class DeafLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
