using System.Collections.Concurrent;
using FedKSeed.Bus;
using FedKSeed.Cluster.Tests;
using FedKSeed.Federation;
using FedKSeed.Operations;
using FedKSeed.Reliability;
using FedKSeed.Reliability.Network;
using FedKSeed.RoundService;
using FedKSeed.SeedService;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FedKSeed.Network.Tests;

/// <summary>
/// SeedService and RoundService in this process, each as it is composed for itself, with a proxy before the broker and one before Redis.
/// </summary>
internal sealed class ServicesBehindProxies : IAsyncDisposable
{
    private readonly IHost _seedService;
    private readonly IHost _roundService;
    private readonly Lines _lines;

    private ServicesBehindProxies(
        IHost seedService, IHost roundService, HostileProxy broker, HostileProxy redis, Witness witness, Lines lines) =>
        (_seedService, _roundService, Broker, Redis, Witness, _lines) = (seedService, roundService, broker, redis, witness, lines);

    public HostileProxy Broker { get; }

    public HostileProxy Redis { get; }

    /// <summary>Follows the federation without proxies.</summary>
    public Witness Witness { get; }

    /// <summary>What both services said at level Warning and above, and of their readiness.</summary>
    public IReadOnlyCollection<string> Log => _lines.All;

    public IBus Bus => _seedService.Services.GetRequiredService<IBus>();

    /// <param name="isQuickToNotice">With heartbeats and timeouts a fifth as long as the services' own.</param>
    /// <param name="settings">More of them, and others than the tests' own.</param>
    public static async Task<ServicesBehindProxies> StartAsync(
        Servers servers, string federation, int seed, bool isQuickToNotice, CancellationToken cancel,
        params (string Key, string Value)[] settings)
    {
        var broker = new HostileProxy(servers.Broker.Address.Port, seed);
        var redis = new HostileProxy(servers.Redis.Port, seed + 1);
        var lines = new Lines();
        var place = servers.Of(federation);
        var witness = await Witness.StartAsync(
            new ServerAddresses(place.Broker, place.Redis), federation, TimeProvider.System, cancel);
        var all = new Dictionary<string, string?>
        {
            ["Bus:Transport"] = "RabbitMq",
            ["Bus:Broker"] = new UriBuilder(place.Broker) { Port = broker.Port }.Uri.ToString(),
            ["Redis:Connection"] = place.Redis.Replace(servers.Redis.Connection, $"127.0.0.1:{redis.Port}", StringComparison.Ordinal)
                + (isQuickToNotice
                ? ",asyncTimeout=1000,syncTimeout=1000,connectTimeout=1000,keepAlive=1"
                : ""),
            ["Federation:Name"] = federation,
            ["Federation:BaseModelDigest"] = new string('a', 64),
            ["Federation:Directions:SeedCount"] = "64",
            ["Federation:StepsPerRound"] = "4",
            ["Federation:Rounds"] = "1000000",
            ["Federation:EvaluateEvery"] = "0",
            ["Federation:RoundDeadline"] = "00:00:05",
            ["RoundService:Tick"] = "00:00:00.100",
            ["RoundService:RepeatAfter"] = "00:00:02",
            ["RoundService:ClientTimeout"] = "00:05:00",
        };
        if (isQuickToNotice)
            all["Bus:Heartbeat"] = "00:00:02";
        foreach (var (key, value) in settings)
            all[key] = value;
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(all).Build();
        await Opening.OpenAsync(
            place.Redis, configuration.GetSection("Federation").Get<FederationSettings>()!, TimeProvider.System, cancel);
        // As with processes, neither waits for the other.
        var seedService = Build(
            all, lines, builder => builder.AddFederationBus(bus => bus.AddSeedServiceConsumers()), builder => builder.AddSeedService());
        var roundService = Build(
            all, lines, builder => builder.AddFederationBus(bus => bus.AddRoundServiceConsumers()), builder => builder.AddRoundService());
        await Task.WhenAll(seedService.StartAsync(cancel), roundService.StartAsync(cancel));
        return new ServicesBehindProxies(seedService, roundService, broker, redis, witness, lines);
    }

    public HostileProxy Before(string server) => server == "Redis" ? Redis : Broker;

    /// <summary>Whether SeedService's own /health/ready would answer 200.</summary>
    public async Task<bool> IsReadyAsync(CancellationToken cancel)
    {
        var checks = _seedService.Services.GetRequiredService<HealthCheckService>();
        return (await checks.CheckHealthAsync(check => check.Tags.Contains(Health.ReadyTag), cancel)).Status == HealthStatus.Healthy;
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_seedService.StopAsync(), _roundService.StopAsync());
        _seedService.Dispose();
        _roundService.Dispose();
        await Witness.DisposeAsync();
        await Broker.DisposeAsync();
        await Redis.DisposeAsync();
    }

    private static IHost Build(Dictionary<string, string?> settings, Lines lines, params Action<IHostApplicationBuilder>[] parts)
    {
        // MassTransit keeps the logger of the first bus in this flow, which may belong to a host that was disposed.
        LogContext.Current = null;
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddProvider(lines).SetMinimumLevel(LogLevel.Warning).AddFilter(typeof(Readiness).FullName, LogLevel.Information);
        builder.Configuration.AddInMemoryCollection(settings);
        builder.AddReadiness();
        foreach (var part in parts)
            part(builder);
        return builder.Build();
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyCollection<string> All => _lines;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
