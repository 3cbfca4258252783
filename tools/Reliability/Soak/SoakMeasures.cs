using FedKSeed.LocalServers;
using FedKSeed.Reliability.Network;

namespace FedKSeed.Reliability.Soak;

/// <summary>What the broker and the proxies hold at one moment.</summary>
/// <param name="Connections">Of the broker, those of the harness included.</param>
internal sealed record Holdings(int Queues, long Messages, int Connections);

/// <summary>Looks at the processes every ten seconds, and at the broker every minute, for as long as the soak lasts.</summary>
internal sealed class SoakMeasures(
    FederationServers servers, ServiceFleet fleet, Witness witness, HostileProxy broker, HostileProxy redis, TimeProvider time)
{
    private const int LooksBetweenBrokerLooks = 6;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private readonly long _began = time.GetTimestamp();

    // A process that was started again has another memory; only those that live through it all are judged.
    private readonly (Replica Replica, Series Memory)[] _services =
        [.. fleet.Replicas.Select(replica => (replica, new Series(replica.Name, "MiB")))];

    public IReadOnlyList<Series> Services => [.. _services.Where(service => service.Replica.Starts == 1).Select(service => service.Memory)];

    public Series Broker { get; } = new("broker", "MiB");

    public Series Redis { get; } = new("Redis, which holds the log", "MiB");

    public Series Harness { get; } = new("this harness", "MiB");

    public Series Accepted { get; } = new("reports accepted", "");

    public Series Queues { get; } = new("queues", "");

    public Series Messages { get; } = new("messages in queues", "");

    public Series Connections { get; } = new("connections of the services", "");

    public TimeSpan Elapsed => time.GetElapsedTime(_began);

    public async Task RunAsync(CancellationToken cancel)
    {
        for (var look = 0; !cancel.IsCancellationRequested; look++)
        {
            LookAtProcesses();
            if (look % LooksBetweenBrokerLooks == 0 && await TryLookAtBrokerAsync(cancel) is { } holdings)
            {
                Queues.Add(Elapsed, holdings.Queues);
                Messages.Add(Elapsed, holdings.Messages);
            }
            await Task.Delay(Interval, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>Null while the broker is down.</returns>
    public async Task<Holdings?> TryLookAtBrokerAsync(CancellationToken cancel)
    {
        try
        {
            var queues = await RabbitMqServer.QueuesAsync(servers.Broker.Node, cancel);
            var connections = await RabbitMqServer.ControlAsync(
                servers.Broker.Node, cancel, "list_connections", "pid", "--no-table-headers");
            return new Holdings(
                queues.Count, queues.Sum(queue => queue.Messages), connections.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        }
        catch (Exception fault) when (fault is ChildProcessException or OperationCanceledException)
        {
            return null;
        }
    }

    private void LookAtProcesses()
    {
        var at = Elapsed;
        foreach (var (replica, memory) in _services)
            Add(memory, replica.ProcessId);
        Add(Broker, servers.Broker.Process.Id);
        Add(Redis, servers.Redis.Process.Id);
        Add(Harness, Environment.ProcessId);
        Accepted.Add(at, witness.Accepted);
        Connections.Add(at, broker.Connections + redis.Connections);

        void Add(Series memory, int processId)
        {
            if (ResidentMemory.Of(processId) is { } megabytes)
                memory.Add(at, megabytes);
        }
    }
}
