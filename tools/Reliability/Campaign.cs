using System.Collections.Concurrent;
using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.LocalServers;
using StackExchange.Redis;

namespace FedKSeed.Reliability;

/// <summary>A fault, and what became of it.</summary>
/// <param name="RoundEnded">From the fault to the commit of the round that was open then, or of the next one.</param>
/// <param name="Ready">From a fault that ended a process until the next one was ready; null for a fault that ended none.</param>
public sealed record StruckFault(FaultKind Kind, TimeSpan RoundEnded, TimeSpan? Ready);

/// <summary>What a campaign saw. That it exists says that every invariant held.</summary>
/// <param name="Accepted">Reports that were announced as accepted.</param>
/// <param name="Written">Reports in the log.</param>
/// <param name="Lost">Those of them that were not in the log at the end.</param>
/// <param name="Committed">Reports that commits took in.</param>
/// <param name="Doubled">Times that a report was in the log, or in a commit, beyond its first.</param>
/// <param name="Repeats">Acceptances announced more than once.</param>
/// <param name="Copies">Messages that were delivered late, again and in another order.</param>
/// <param name="OwnEnds">Last words of services that ended by themselves.</param>
public sealed record CampaignReport(
    IReadOnlyList<StruckFault> Faults, int Rounds, long Entries, int Accepted, int Written, int Lost, int Committed, long Doubled,
    long Repeats, int Copies, IReadOnlyList<string> OwnEnds, bool HadDiskOfItsOwn, TimeSpan Duration)
{
    public int Kills => Faults.Count(fault => fault.Kind <= FaultKind.BrokerKilled);
}

/// <summary>
/// A federation from its opening to its close on servers of its own, while a schedule of faults strikes it. Everything promised is checked
/// after each fault and at the end.
/// </summary>
public sealed class Campaign(string samples, string folder, TimeProvider time, Action<string> say)
{
    /// <summary>A round must end within so long after a fault, and the federation close within so long after it was told to.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(120);

    /// <summary>How long a process may take to start is a matter of the machine, and no promise: this only ends what hangs.</summary>
    private static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(5);

    private const int MostAtOnce = 5;

    private readonly ConcurrentBag<StruckFault> _struck = [];

    /// <summary>Set up before <see cref="RunAsync"/>.</summary>
    public FleetPlan Plan { get; init; } = new() { Samples = samples, Folder = folder };

    /// <exception cref="InvariantException">Something promised did not hold.</exception>
    public async Task<CampaignReport> RunAsync(IReadOnlyList<PlannedFault> schedule, int seed, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(schedule);
        var began = time.GetTimestamp();
        var redisFolder = Path.Combine(folder, "redis");
        using var disk = RedisDisk.TryMount(redisFolder);
        await using var servers = await FederationServers.StartAsync(folder, redisFolder, cancel);
        await using var witness = await Witness.StartAsync(servers.Addresses, Plan.Federation.Name, time, cancel);
        await using var fleet = await ServiceFleet.StartAsync(Plan, servers.Addresses, cancel);
        await using var late = await LateDeliveries.StartAsync(servers.Broker.Address, Plan.Federation.Name, seed, cancel);
        await witness.UntilCommittedAsync(1, Bound, cancel);
        say($"all services are ready, the first round is over: {time.GetElapsedTime(began).TotalSeconds:F0} s");

        try
        {
            using (var injector = new FaultInjector(servers, fleet, Plan, witness, disk))
                await StrikeAllAsync(schedule, injector, witness, cancel);
            await late.StopAsync();
            await EndAsync(servers, fleet, witness, cancel);
        }
        catch (Exception fault) when (fault is InvariantException or TimeoutException)
        {
            say(await StandingStill.DescribeAsync(servers, Plan.Federation.Name, time));
            throw;
        }
        foreach (var ownEnd in fleet.Replicas.SelectMany(replica => replica.OwnEnds))
            say(ownEnd);
        return new CampaignReport(
            [.. _struck], witness.State.Version, witness.State.Head.Length, witness.Accepted, witness.Written, witness.Lost,
                witness.Committed,
            witness.Doubled, witness.Repeats, late.Delivered,
            [.. fleet.Replicas.SelectMany(replica => replica.OwnEnds)], disk is not null, time.GetElapsedTime(began));
    }

    /// <summary>Several faults may be outstanding at once; one that broke something ends the campaign.</summary>
    private async Task StrikeAllAsync(
        IReadOnlyList<PlannedFault> schedule, FaultInjector injector, Witness witness, CancellationToken cancel)
    {
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        using var slots = new SemaphoreSlim(MostAtOnce);
        var outstanding = new List<Task>();
        foreach (var fault in schedule)
        {
            await slots.WaitAsync(cancel);
            if (failed.IsCancellationRequested)
                break;
            await Task.Delay(fault.Pause, time, cancel);
            outstanding.Add(OneAsync(fault));
        }
        await Task.WhenAll(outstanding);

        async Task OneAsync(PlannedFault fault)
        {
            try
            {
                await StrikeAsync(fault, injector, witness, failed.Token);
            }
            catch
            {
                await failed.CancelAsync();
                throw;
            }
            finally
            {
                slots.Release();
            }
        }
    }

    private async Task StrikeAsync(PlannedFault fault, FaultInjector injector, Witness witness, CancellationToken cancel)
    {
        var (began, round) = (0L, 0);
        var killed = await injector.StrikeAsync(fault, Struck, cancel);
        if (killed is not null)
            await killed.UntilReadyAsync(StartPatience, cancel);
        TimeSpan? ready = killed is not null || FaultInjector.EndsAServer(fault.Kind) ? time.GetElapsedTime(began) : null;
        await witness.UntilCommittedAsync(round, Bound, cancel);
        var struck = new StruckFault(fault.Kind, time.GetElapsedTime(began, witness.CommittedAt(round)!.Value), ready);
        _struck.Add(struck);
        await AuditAsync(witness, cancel);
        say($"{_struck.Count,4} {fault.Kind,-24} round {round} ended after {struck.RoundEnded.TotalSeconds,5:F1} s"
            + (ready is { } back ? $", ready after {back.TotalSeconds,5:F1} s" : "")
            + $"; version {witness.State.Version}, {witness.Accepted} reports accepted");

        void Struck() =>
            (began, round) = (time.GetTimestamp(), witness.State is var state && state.Round is { } open
                ? open.Number
                : state.LastRound + 1);
    }

    /// <summary>Another fault may keep Redis away just then.</summary>
    internal async Task AuditAsync(Witness witness, CancellationToken cancel)
    {
        for (var began = time.GetTimestamp(); ;)
        {
            try
            {
                await witness.AuditAsync(cancel);
                return;
            }
            catch (Exception fault) when (fault is RedisException or TimeoutException && time.GetElapsedTime(began) < Bound)
            {
                await Task.Delay(200, cancel);
            }
        }
    }

    /// <summary>
    /// With everything up again: the clocks end in order, the last round and the federation are closed by hand, as an operator would, and
    /// nothing is left anywhere.
    /// </summary>
    internal async Task EndAsync(FederationServers servers, ServiceFleet fleet, Witness witness, CancellationToken cancel)
    {
        await Task.WhenAll(fleet.Replicas.Select(replica => replica.UntilReadyAsync(StartPatience, cancel)));
        var round = witness.State.LastRound + 2;
        await witness.UntilCommittedAsync(round, Bound, cancel);
        var codes = await Task.WhenAll(fleet.RoundServices.Select(replica => replica.RetireAsync()));
        if (codes.Any(code => code != 0))
            throw new InvariantException($"RoundServices that were told to end did so with exit codes {string.Join(", ", codes)}.");

        await using var connection = await AmqpConnection.OpenAsync(servers.Broker.Address, cancel);
        var name = Plan.Federation.Name;
        for (var began = time.GetTimestamp(); witness.State.Closed is null && time.GetElapsedTime(began) < Bound;)
        {
            if (witness.State.Round is { } open)
                await connection.PublishAsync(
                    new RoundClosed { Federation = name, Round = open.Number, Reason = nameof(RoundEnd.Deadline) }, cancel);
            await connection.PublishAsync(
                new CloseFederation
                {
                    Federation = name,
                    Reason = nameof(FederationEnd.Completed),
                    Version = witness.State.Version
                }, cancel);
            await Task.Delay(500, cancel);
        }
        await witness.UntilAsync(state => state.Closed is not null, TimeSpan.Zero, "the close of the federation", cancel);
        await UntilQueuesAreEmptyAsync(servers, cancel);
        await witness.AuditAsync(cancel);
        await witness.ReplayAsync(cancel);
    }

    /// <summary>Those of errors and of unknown messages included.</summary>
    private async Task UntilQueuesAreEmptyAsync(FederationServers servers, CancellationToken cancel)
    {
        for (var began = time.GetTimestamp(); ;)
        {
            var queues = await RabbitMqServer.QueuesAsync(servers.Broker.Node, cancel);
            var filled = queues.Where(queue => queue.Messages > 0 && !IsOfRetiredClocks(queue.Name)).ToArray();
            if (filled.Length == 0)
                return;
            if (time.GetElapsedTime(began) > Bound || filled.Any(queue => IsForErrors(queue.Name)))
                throw new InvariantException(
                    $"Queues are not empty: {string.Join(", ", filled.Select(queue => $"{queue.Name} {queue.Messages}"))}.");
            await Task.Delay(500, cancel);
        }
    }

    /// <summary>Workers go on to announce their clients, which nobody reads any more.</summary>
    private static bool IsOfRetiredClocks(string queue) =>
        queue is "fedkseed-service-client-announced" or "fedkseed-service-progress";

    private static bool IsForErrors(string queue) =>
        queue.EndsWith("_error", StringComparison.Ordinal) || queue.EndsWith("_skipped", StringComparison.Ordinal);
}
