using System.Globalization;
using FedKSeed.Bus;
using FedKSeed.Cli.Run;
using FedKSeed.LocalServers;
using FedKSeed.LogStore;
using FedKSeed.Observation;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace FedKSeed.Cli.Cluster;

/// <summary>
/// A federation as processes: a broker, a Redis, SeedService, RoundService, an evaluator and workers. This process only watches. One that
/// ends before the federation does ends all of them.
/// </summary>
/// <param name="workers">
/// Worker processes; the clients are divided among them, and share them when there are more workers than clients.
/// </param>
internal sealed class ServiceCluster(int workers, bool isVerbose) : IFederationPlace
{
    private static readonly TimeSpan RevokePatience = TimeSpan.FromSeconds(2);

    private readonly List<ChildProcess> _services = [];
    private readonly CancellationTokenSource _ending = new();
    private RedisServer? _redis;
    private RabbitMqServer? _broker;
    private IHost? _observer;
    private string? _clusterFolder;

    /// <summary>Of the token that is this cluster's own: others may share its store.</summary>
    private readonly string _holder = $"cluster-{Guid.NewGuid():N}"[..16];
    private AccessTokens? _tokens;

    public async Task<string> OpenStoreAsync(RunPlan plan, RunFolder folder, CancellationToken cancel)
    {
        Directory.CreateDirectory(folder.Cluster);
        if (plan.Redis is null)
            _redis = await RedisServer.StartAsync(Path.Combine(folder.Cluster, "redis"), folder.Logs, cancel: cancel);
        return plan.Redis ?? _redis!.Connection;
    }

    public async Task<RunRecorder> StartAsync(RunPlan plan, RunFolder folder, FederationWatch watch, CancellationToken cancel)
    {
        _clusterFolder = folder.Cluster;
        _broker = await RabbitMqServer.StartAsync(Path.Combine(folder.Cluster, "rabbitmq"), folder.Logs, cancel: cancel);
        var shared = ServiceConfiguration.Shared(_broker.Address, plan.Redis ?? _redis!.Connection);

        // It listens before there is anything to hear.
        _observer = Observer(shared, plan, folder, watch);
        await _observer.Services.GetRequiredService<FederationBooks>().OpenAsync(plan.Federation, actor: null, cancel);
        await _observer.StartAsync(cancel);
        var recorder = _observer.Services.GetRequiredService<RunRecorder>();

        _tokens = new AccessTokens(_observer.Services.GetRequiredService<IConnectionMultiplexer>(), TimeProvider.System);
        var token = await _tokens.NewAsync(_holder, TokenRole.Operator, cancel);
        StartServices(plan, folder, shared, plan.Redis ?? _redis!.Connection, token);
        foreach (var process in Processes())
            _ = FailAtEndAsync(process, recorder);
        return recorder;
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await RevokeAsync();
        // Services first, all at once; then what they stand on.
        var observer = _observer?.StopAsync(CancellationToken.None) ?? Task.CompletedTask;
        await Task.WhenAll([observer, .. _services.Select(service => service.DisposeAsync().AsTask())]);
        _observer?.Dispose();
        if (_broker is not null)
            await _broker.DisposeAsync();
        if (_redis is not null)
            await _redis.DisposeAsync();
        if (_clusterFolder is not null)
            File.Delete(ClusterFile.In(_clusterFolder));
        _ending.Dispose();
    }

    /// <summary>Left behind, a token would be one of a store that others use.</summary>
    private async Task RevokeAsync()
    {
        using var patience = new CancellationTokenSource(RevokePatience);
        try
        {
            await (_tokens?.RevokeAsync(_holder, patience.Token) ?? Task.CompletedTask);
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault) || fault is OperationCanceledException)
        {
            // fedkseed token list shows it, and revoke takes it.
        }
    }

    private void StartServices(
        RunPlan plan, RunFolder folder, Dictionary<string, string?> shared, string redis, string token)
    {
        var ports = new Queue<int>(InstalledProgram.FreePorts(workers + 3));
        var clients = plan.ClientFiles().ToArray();
        // A worker never hears of the store.
        var bus = shared.Where(setting => setting.Key.StartsWith("Bus:", StringComparison.Ordinal)).ToDictionary();
        var processes = new List<ClusterProcess>
        {
            Start("seed-service", "FedKSeed.SeedService", shared),
            Start("round-service", "FedKSeed.RoundService", shared),
            Start("evaluator", "FedKSeed.ClientWorker", bus, ServiceConfiguration.Worker(plan, [], evaluates: true, parallelism: 1)),
        };
        var parallelism = Math.Max(1, plan.Threads / workers);
        for (var worker = 0; worker < workers; worker++)
            processes.Add(Start(
                $"worker-{worker + 1}", "FedKSeed.ClientWorker", bus,
                ServiceConfiguration.Worker(plan, ClientsOf(worker, clients), evaluates: false, parallelism),
                new() { ["Worker:Name"] = $"worker-{worker + 1}" }));
        new ClusterFile(plan.Federation.Name, redis, _broker!.Node, processes[1].Health, token, processes).Write(folder.Cluster);

        ClusterProcess Start(string name, string program, params Dictionary<string, string?>[] configuration)
        {
            var address = new Uri($"http://127.0.0.1:{ports.Dequeue().ToString(CultureInfo.InvariantCulture)}/");
            var process = ServiceProcess.Start(name, folder.Logs, program, configuration.SelectMany(part => part), address);
            _services.Add(process);
            return new ClusterProcess(name, process.Id, address);
        }
    }

    private IEnumerable<KeyValuePair<string, string>> ClientsOf(int worker, KeyValuePair<string, string>[] clients) =>
        workers > clients.Length ? [clients[worker % clients.Length]] : clients.Where((_, at) => at % workers == worker);

    private IHost Observer(Dictionary<string, string?> shared, RunPlan plan, RunFolder folder, FederationWatch watch)
    {
        var builder = VerbHost.CreateBuilder(isVerbose);
        builder.Configuration.AddInMemoryCollection(shared);
        builder.AddRecording(plan.Federation.Name, folder, watch);
        builder.AddFederationBus(bus => bus.AddRecordingConsumers());
        return builder.Build();
    }

    private IEnumerable<ChildProcess> Processes() =>
        _services.Concat(_redis is null ? [] : [_redis.Process]).Append(_broker!.Process);

    private async Task FailAtEndAsync(ChildProcess process, RunRecorder recorder)
    {
        await process.Ended;
        if (!_ending.IsCancellationRequested)
            recorder.Fail(process.Obituary());
    }
}
