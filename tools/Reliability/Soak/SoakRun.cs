using FedKSeed.Reliability.Network;

namespace FedKSeed.Reliability.Soak;

/// <param name="RoundEnded">From the end of the fault's cause to the commit of the round that was open then, or of the next one.</param>
internal sealed record SoakStrike(SoakFault Fault, TimeSpan At, TimeSpan RoundEnded);

/// <summary>What a soak saw. That it exists says that every invariant held at its end, and after each fault.</summary>
internal sealed record SoakReport(
    TimeSpan Duration, IReadOnlyList<SoakStrike> Strikes, SoakMeasures Measures, Holdings Before, Holdings After, int Rounds, long Entries,
    int Accepted, int Lost, int Committed, long Doubled, long Repeats, int Copies, IReadOnlyList<string> OwnEnds)
{
    /// <summary>Memory is settled by then: every code path was taken, every pool is filled.</summary>
    public TimeSpan WarmUp => TimeSpan.FromTicks(Math.Min(Duration.Ticks / 4, TimeSpan.FromMinutes(15).Ticks));
}

/// <summary>
/// One federation that goes on for hours between proxies, while processes, servers and the network fail in turn, one fault at a time, with
/// some seconds of peace between two.
/// </summary>
internal sealed class SoakRun(string samples, string folder, TimeProvider time, Action<string> say)
{
    private static readonly TimeSpan Peace = TimeSpan.FromSeconds(8);

    // What a fault leaves behind is gone by then: heartbeats have missed, dead connections are closed at both ends.
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(75);

    public async Task<SoakReport> RunAsync(TimeSpan duration, int seed, CancellationToken cancel)
    {
        var plan = new FleetPlan
        {
            Samples = samples,
            Folder = folder,
            Federation = FleetPlan.TinyFederation with { StepsPerRound = 1, BatchSize = 1 },
            WorkerGroups = TwoGroups,
        };
        await using var servers = await FederationServers.StartAsync(folder, cancel: cancel);
        await using var broker = new HostileProxy(servers.Broker.Address.Port, seed);
        await using var redis = new HostileProxy(servers.Redis.Port, seed + 1);
        await using var witness = await Witness.StartAsync(servers.Addresses, plan.Federation.Name, time, cancel);
        var address = new UriBuilder(servers.Broker.Address) { Port = broker.Port }.Uri;
        await using var fleet = await ServiceFleet.StartAsync(plan, new ServerAddresses(address, $"127.0.0.1:{redis.Port}"), cancel);
        await using var late = await LateDeliveries.StartAsync(servers.Broker.Address, plan.Federation.Name, seed, cancel);
        var campaign = new Campaign(samples, folder, time, say) { Plan = plan };
        await witness.UntilCommittedAsync(3, Campaign.Bound, cancel);

        var measures = new SoakMeasures(servers, fleet, witness, broker, redis, time);
        var before = await measures.TryLookAtBrokerAsync(cancel) ?? throw new InvariantException("The broker does not answer.");
        using var measured = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var measuring = measures.RunAsync(measured.Token);
        using var injector = new FaultInjector(servers, fleet, plan, witness, disk: null);
        var faults = new SoakPlan(seed);
        var strikes = new List<SoakStrike>();
        while (measures.Elapsed < duration - Quiet)
        {
            await Task.Delay(Peace, time, cancel);
            try
            {
                strikes.Add(await StrikeAsync(faults.Next(), measures, async fault =>
                {
                    if (fault.Network is { } network)
                        await network.StrikeAsync(fault.IsBeforeBroker ? broker : redis, cancel);
                    else if (await injector.StrikeAsync(fault.Process!, () => { }, cancel) is { } killed)
                        await killed.UntilReadyAsync(Campaign.Bound, cancel);
                }, witness, campaign, cancel));
            }
            catch (Exception fault) when (fault is InvariantException or TimeoutException)
            {
                say(await StandingStill.DescribeAsync(servers, plan.Federation.Name, time));
                throw;
            }
        }
        await late.StopAsync();
        await Task.Delay(Quiet, time, cancel);
        var after = await measures.TryLookAtBrokerAsync(cancel) ?? throw new InvariantException("The broker does not answer.");
        await measured.CancelAsync();
        await measuring;
        var lasted = measures.Elapsed;
        await campaign.EndAsync(servers, fleet, witness, cancel);
        return new SoakReport(
            lasted, strikes, measures, before, after, witness.State.Version, witness.State.Head.Length, witness.Accepted, witness.Lost,
            witness.Committed, witness.Doubled, witness.Repeats, late.Delivered,
            [.. fleet.Replicas.SelectMany(replica => replica.OwnEnds)]);
    }

    /// <summary>Fourteen clients, each with two workers, the second of which is the one that is killed.</summary>
    private static IReadOnlyList<WorkerGroup> TwoGroups { get; } =
    [
        new([.. Enumerable.Range(1, 4).SelectMany(client => new[] { $"client-{client}", $"client-{client}-b" }), "client-1-c"], 2),
        new([.. Enumerable.Range(5, 4).Select(client => $"client-{client}"), "client-5-b"], 2),
    ];

    private async Task<SoakStrike> StrikeAsync(
        SoakFault fault, SoakMeasures measures, Func<SoakFault, Task> strike, Witness witness, Campaign campaign, CancellationToken cancel)
    {
        var at = measures.Elapsed;
        await strike(fault);
        // A connection that only looks open is found out by what uses it.
        var (gone, round) = (time.GetTimestamp(), witness.State.Round?.Number ?? witness.State.LastRound + 1);
        await witness.UntilCommittedAsync(round, Campaign.Bound, cancel);
        await campaign.AuditAsync(witness, cancel);
        var struck = new SoakStrike(fault, at, time.GetElapsedTime(gone));
        say($"{fault.Name,-34} for {(fault.Network?.Duration ?? fault.Process!.Duration).TotalSeconds,4:F1} s; a round ended "
            + $"{struck.RoundEnded.TotalSeconds,5:F1} s later; "
            + $"version {witness.State.Version}, {witness.Accepted} reports accepted");
        return struck;
    }
}
