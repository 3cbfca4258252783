using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace FedKSeed.Operations;

/// <summary>The life of a service's process, and what it says to whoever started it wrongly.</summary>
public static class ServiceProgram
{
    /// <summary>A setting is wrong: starting it again would not help.</summary>
    public const int WrongSettings = 2;

    private const int Failed = 1;

    /// <summary>
    /// Builds a service and runs it until it is told to end. What a person can mend is one line each on standard error, without a stack.
    /// </summary>
    /// <returns>The process's exit code.</returns>
    public static async Task<int> RunAsync(Func<IHost> build)
    {
        ArgumentNullException.ThrowIfNull(build);
        try
        {
            using var host = build();
            // Before anything is made from them: a model that cannot be loaded would hide that a number is out of range.
            host.Services.GetService<IStartupValidator>()?.Validate();
            // Made here, so that the host does not log what cannot be made with its stack.
            _ = host.Services.GetServices<IHostedService>();
            await host.RunAsync();
            return 0;
        }
        catch (Exception fault) when (SettingFaults(fault) is { Count: > 0 } faults)
        {
            await SayAsync(faults);
            return WrongSettings;
        }
        catch (Exception fault) when (fault is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            await SayAsync([fault.Message]);
            return Failed;
        }
    }

    /// <summary>All that is wrong with the settings; nothing when it is something else that failed.</summary>
    private static List<string> SettingFaults(Exception fault) => fault switch
    {
        OptionsValidationException wrong => [.. wrong.Failures],
        AggregateException several when several.InnerExceptions.All(inner => inner is OptionsValidationException) =>
            [.. several.InnerExceptions.SelectMany(SettingFaults)],
        // A value of another type: the binder says where it stands.
        InvalidOperationException { Source: "Microsoft.Extensions.Configuration.Binder" } => [fault.Message],
        _ => [],
    };

    private static Task SayAsync(IEnumerable<string> faults) => Console.Error.WriteAsync(
        string.Concat(faults.SelectMany(fault => fault.Split("; "))
            .Select(line => $"{AppDomain.CurrentDomain.FriendlyName}: {line}{Environment.NewLine}")));
}
