using FedKSeed.LocalServers;
using StackExchange.Redis;

namespace FedKSeed.Reliability;

/// <summary>Does to servers and services what a schedule says, and repairs what would not repair itself.</summary>
/// <param name="disk">Null where none could be mounted: a full disk is then a Redis that refuses writes for want of memory.</param>
internal sealed class FaultInjector(
    FederationServers servers, ServiceFleet fleet, FleetPlan plan, Witness witness, RedisDisk? disk) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    // Broker and Redis fall one at a time; services fall whenever they are told to.
    private readonly SemaphoreSlim _servers = new(1);

    /// <summary>Returns when the cause is gone: a service that was killed is starting, a server that was killed answers.</summary>
    /// <param name="struck">Called when the fault holds, which for what rabbitmqctl does is a second after it was asked.</param>
    /// <returns>The service that has to become ready again, if one was killed.</returns>
    public async Task<Replica?> StrikeAsync(PlannedFault fault, Action struck, CancellationToken cancel)
    {
        if (IsOfAServer(fault.Kind))
        {
            await OneServerAtATimeAsync(fault, struck, cancel);
            return null;
        }
        struck();
        switch (fault.Kind)
        {
            case FaultKind.WorkerKilled:
                return await KillAsync(One(fleet.Workers, fault));
            case FaultKind.SeedServiceKilled:
                return await KillAsync(One(fleet.SeedServices, fault));
            case FaultKind.RoundServiceKilled:
                return await KillAsync(One(fleet.RoundServices, fault));
            case FaultKind.WorkerSuspended or FaultKind.WorkerHangsPastDeadline:
                await SuspendAsync([One(fleet.Workers, fault)], () => Task.Delay(fault.Duration, cancel));
                return null;
            case FaultKind.SeedServiceSuspended:
                await SuspendAsync([One(fleet.SeedServices, fault)], () => Task.Delay(fault.Duration, cancel));
                return null;
            case FaultKind.RoundServiceSuspended:
                await SuspendAsync([One(fleet.RoundServices, fault)], () => Task.Delay(fault.Duration, cancel));
                return null;
            case FaultKind.ClientsSilent:
                await SilenceAsync(fault, cancel);
                return null;
            default:
                throw new InvalidOperationException($"{fault.Kind} strikes no service.");
        }
    }

    /// <summary>Whether a fault strikes the broker or Redis.</summary>
    private static bool IsOfAServer(FaultKind kind) => kind is FaultKind.RedisKilled or FaultKind.RedisDiskFull or FaultKind.BrokerKilled
        or FaultKind.BrokerAppStopped or FaultKind.ConnectionsClosed;

    /// <summary>Whether a fault keeps a server from answering until it is repaired.</summary>
    public static bool EndsAServer(FaultKind kind) => IsOfAServer(kind) && kind != FaultKind.ConnectionsClosed;

    private static async Task<Replica> KillAsync(Replica replica)
    {
        await replica.KillAsync();
        return replica;
    }

    private static async Task SuspendAsync(IReadOnlyList<Replica> replicas, Func<Task> meanwhile)
    {
        foreach (var replica in replicas)
            replica.Suspend();
        try
        {
            await meanwhile();
        }
        finally
        {
            foreach (var replica in replicas)
                replica.Resume();
        }
    }

    /// <summary>In each of three rounds the workers of another group stand still: about 30 % of the clients are silent.</summary>
    private async Task SilenceAsync(PlannedFault fault, CancellationToken cancel)
    {
        for (var turn = 0; turn < 3; turn++)
        {
            var group = plan.WorkerGroups[(fault.Target + turn) % plan.WorkerGroups.Count];
            var round = witness.State.LastRound + 1;
            await SuspendAsync(fleet.WorkersOf(group), () => witness.UntilCommittedAsync(round, Patience, cancel));
        }
    }

    private async Task OneServerAtATimeAsync(PlannedFault fault, Action struck, CancellationToken cancel)
    {
        await _servers.WaitAsync(cancel);
        try
        {
            await (fault.Kind switch
            {
                FaultKind.RedisKilled => KillRedisAsync(fault.Duration, struck, cancel),
                FaultKind.BrokerKilled => KillBrokerAsync(fault.Duration, struck, cancel),
                FaultKind.BrokerAppStopped => StopBrokerAppAsync(fault.Duration, struck, cancel),
                FaultKind.ConnectionsClosed => CloseConnectionsAsync(struck, cancel),
                FaultKind.RedisDiskFull => disk is null
                    ? StarveRedisAsync(fault.Duration, struck, cancel)
                    : FillDiskAsync(disk, fault.Duration, struck, cancel),
                _ => throw new InvalidOperationException($"{fault.Kind} strikes no server."),
            });
        }
        finally
        {
            _servers.Release();
        }
    }

    private async Task KillRedisAsync(TimeSpan down, Action struck, CancellationToken cancel)
    {
        servers.Redis.Process.Kill();
        struck();
        await servers.Redis.Process.Ended;
        await Task.Delay(down, cancel);
        await servers.Redis.RestartAsync(cancel);
    }

    private async Task KillBrokerAsync(TimeSpan down, Action struck, CancellationToken cancel)
    {
        servers.Broker.Process.Kill();
        struck();
        await servers.Broker.Process.Ended;
        await Task.Delay(down, cancel);
        await servers.Broker.RestartAsync(cancel);
    }

    private async Task StopBrokerAppAsync(TimeSpan down, Action struck, CancellationToken cancel)
    {
        await RabbitMqServer.ControlAsync(servers.Broker.Node, cancel, "stop_app");
        struck();
        await Task.Delay(down, cancel);
        await RabbitMqServer.ControlAsync(servers.Broker.Node, cancel, "start_app");
    }

    private async Task CloseConnectionsAsync(Action struck, CancellationToken cancel)
    {
        await RabbitMqServer.ControlAsync(servers.Broker.Node, cancel, "close_all_connections", "the harness closes all connections");
        struck();
    }

    /// <summary>With AOF always, Redis ends at the first write that it cannot keep, and is started again until there is room.</summary>
    private async Task FillDiskAsync(RedisDisk disk, TimeSpan full, Action struck, CancellationToken cancel)
    {
        disk.Fill();
        struck();
        using var freed = new CancellationTokenSource(full);
        while (!freed.IsCancellationRequested)
        {
            await RestartRedisIfEndedAsync(cancel);
            await Task.Delay(100, cancel);
        }
        disk.Free();
        // It may be about to end of its last failed write.
        await Task.Delay(200, cancel);
        while (!await RestartRedisIfEndedAsync(cancel))
            await Task.Delay(100, cancel);
    }

    private async Task<bool> RestartRedisIfEndedAsync(CancellationToken cancel)
    {
        if (!servers.Redis.Process.Ended.IsCompleted)
            return true;
        try
        {
            await servers.Redis.RestartAsync(cancel);
            return true;
        }
        catch (ChildProcessException)
        {
            return false;
        }
    }

    private async Task StarveRedisAsync(TimeSpan full, Action struck, CancellationToken cancel)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(servers.Redis.Connection + ",allowAdmin=true");
        var server = redis.GetServers()[0];
        await server.ConfigSetAsync("maxmemory", "1");
        struck();
        await Task.Delay(full, cancel);
        await server.ConfigSetAsync("maxmemory", "0");
    }

    public void Dispose() => _servers.Dispose();

    private static Replica One(IReadOnlyList<Replica> replicas, PlannedFault fault) => replicas[fault.Target % replicas.Count];
}
