using FedKSeed.Bus;
using FedKSeed.Checkpoints;
using FedKSeed.ClientWorker;
using FedKSeed.EndToEnd.Tests;
using FedKSeed.Operations;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FedKSeed.Cluster.Tests;

/// <summary>A worker of one client in one federation, which also evaluates, with the sample's model and data, on the real broker.</summary>
internal sealed class WorkerOnBroker : IAsyncDisposable
{
    private static readonly string ModelFolder = Path.Combine(Fedkseed.Samples, "model");

    private readonly IHost _host;
    private readonly string _folder;

    private WorkerOnBroker(IHost host, string folder) => (_host, _folder) = (host, folder);

    /// <summary>Of the sample's base model.</summary>
    public static string Digest { get; } = DigestOf(ModelFolder);

    public static async Task<WorkerOnBroker> StartAsync(Servers servers, string federation, params (string Key, string Value)[] settings)
    {
        // MassTransit keeps the logger of the first bus in this flow, which may belong to a host that was disposed.
        LogContext.Current = null;
        var folder = Directory.CreateTempSubdirectory("fedkseed-worker-").FullName;
        SmallData.Arguments(folder);
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddConsole().SetMinimumLevel(LogLevel.None);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Bus:Transport"] = "RabbitMq",
            ["Bus:Broker"] = servers.Of(federation).Broker.ToString(),
            ["Worker:Heartbeat"] = "00:00:00.200",
            ["Memberships:0:Federation"] = federation,
            ["Memberships:0:ModelFolder"] = ModelFolder,
            ["Memberships:0:PromptFile"] = Path.Combine(Fedkseed.Samples, "prompt.json"),
            ["Memberships:0:Clients:0:Name"] = SeedServiceOnBroker.Client,
            ["Memberships:0:Clients:0:Data"] = Path.Combine(folder, "data", "client-1.jsonl"),
            ["Memberships:0:Evaluator:Data"] = Path.Combine(folder, "data", "held-out.jsonl"),
            ["Memberships:0:Evaluator:Limit"] = "1",
            ["Memberships:0:Evaluator:MaximumNewTokens"] = "1",
        });
        builder.Configuration.AddInMemoryCollection(settings.ToDictionary(item => item.Key, item => (string?)item.Value));
        builder.AddHealthEndpoint();
        builder.AddFederationBus(bus => bus.AddClientWorkerConsumers());
        builder.AddClientWorker();
        var host = builder.Build();
        await host.StartAsync();
        return new WorkerOnBroker(host, folder);
    }

    /// <summary>Readiness as its health endpoint would say it.</summary>
    public async Task<HealthReport> ReadinessAsync() =>
        await _host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => check.Tags.Contains(Health.ReadyTag));

    public async Task UntilReadyAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while ((await ReadinessAsync()).Status != HealthStatus.Healthy)
            await Task.Delay(20, timeout.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string DigestOf(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        return checkpoint.Digest();
    }
}
