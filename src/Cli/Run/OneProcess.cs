using FedKSeed.Bus;
using FedKSeed.ClientWorker;
using FedKSeed.LogStore;
using FedKSeed.Observation;
using FedKSeed.Operations;
using FedKSeed.RoundService;
using FedKSeed.SeedService;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FedKSeed.Cli.Run;

/// <summary>A whole federation in this process: the registrations of the services, on one in-memory bus and an embedded store.</summary>
/// <param name="redisPort">Port of the embedded store; null takes a free one.</param>
/// <param name="isVerbose">Logs of the services go to the error stream.</param>
internal sealed class OneProcess(int? redisPort, bool isVerbose) : IFederationPlace
{
    /// <summary>More than the host gives its parts.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromSeconds(15);

    private EmbeddedRedis? _redis;
    private IHost? _host;

    public Task<string> OpenStoreAsync(RunPlan plan, RunFolder folder, CancellationToken cancel)
    {
        _redis = plan.Redis is null ? EmbeddedRedis.Start(folder.Store, redisPort) : null;
        return Task.FromResult(plan.Redis ?? _redis!.Connection);
    }

    public async Task<RunRecorder> StartAsync(RunPlan plan, RunFolder folder, FederationWatch watch, CancellationToken cancel)
    {
        // Steps of torch block the threads that they run on, and messages must go on meanwhile.
        ThreadPool.SetMinThreads(plan.Threads + 16, plan.Threads + 16);
        var host = Compose(plan, folder, plan.Redis ?? _redis!.Connection, watch);
        try
        {
            await host.Services.GetRequiredService<FederationBooks>().OpenAsync(plan.Federation, actor: null, cancel);
            await host.StartAsync(cancel);
        }
        catch
        {
            // Stopping what never started would fail in turn, and hide why.
            host.Dispose();
            throw;
        }
        _host = host;
        var recorder = _host.Services.GetRequiredService<RunRecorder>();
        foreach (var part in _host.Services.GetServices<IHostedService>().OfType<BackgroundService>())
            _ = FailWithAsync(part, recorder);
        return recorder;
    }

    /// <summary>A part that fails ends the run, with its reason.</summary>
    private static async Task FailWithAsync(BackgroundService part, RunRecorder recorder)
    {
        await (part.ExecuteTask ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (ServiceProgram.FaultOf(part) is { } fault)
            recorder.Fail($"{part.GetType().Name} failed: {fault.Message}");
    }

    public async ValueTask DisposeAsync()
    {
        // What did not stop ends with the process; to dispose of it would wait for it again.
        if (_host is not null && await HasStoppedAsync(_host))
            _host.Dispose();
        _redis?.Dispose();
    }

    /// <summary>Messages that wait for a store which has been away for long keep the bus from ending.</summary>
    private static async Task<bool> HasStoppedAsync(IHost host)
    {
        var stopped = host.StopAsync(CancellationToken.None);
        if (await Task.WhenAny(stopped, Task.Delay(StopPatience)) != stopped)
            return false;
        await stopped;
        return true;
    }

    private IHost Compose(RunPlan plan, RunFolder folder, string redis, FederationWatch watch)
    {
        var builder = VerbHost.CreateBuilder(isVerbose);
        builder.Configuration.AddInMemoryCollection(ServiceConfiguration.Shared(broker: null, redis));
        builder.Configuration.AddInMemoryCollection(ServiceConfiguration.Worker(plan, plan.ClientFiles(), evaluates: true, plan.Threads));
        builder.AddRecording(plan.Federation.Name, folder, watch);
        builder.AddFederationBus(bus =>
        {
            bus.AddRoundServiceConsumers();
            bus.AddSeedServiceConsumers();
            bus.AddClientWorkerConsumers();
            bus.AddRecordingConsumers();
            bus.AddConsumer<FaultConsumer>();
        });
        builder.AddSeedService();
        builder.AddRoundService();
        builder.AddClientWorker();
        return builder.Build();
    }
}
