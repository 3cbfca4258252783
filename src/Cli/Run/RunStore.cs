using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using FedKSeed.Versions;
using StackExchange.Redis;

namespace FedKSeed.Cli.Run;

/// <summary>
/// The log in a run's store beside the one in its folder, before anything works with either: one must be the beginning of the other. A
/// store that lost its end, to a power cut for example, gets it back from the file.
/// </summary>
internal static class RunStore
{
    // Of one transaction: an entry is tens of kilobytes at most.
    private const int LinesAtOnce = 64;

    /// <param name="connection">StackExchange.Redis configuration of the store.</param>
    /// <exception cref="FailureException">They differ, or are of another federation; the message says where.</exception>
    public static async Task ReconcileAsync(RunPlan plan, RunFolder folder, bool isResumed, string connection, CancellationToken cancel)
    {
        using var redis = await ConnectAsync(connection);
        var log = new RedisFederationLog(redis, plan.Federation.Name);
        if (!isResumed && await log.ReadHashAsync(0, cancel) is not null)
            throw new FailureException(
                $"the store holds a federation named '{plan.Federation.Name}' already: choose another --name, or continue it with --resume "
                    + "and the folder of its run.");
        if (File.Exists(folder.Log))
            LogFile.TruncateTornLine(folder.Log);
        var stored = await RequireOneLogAsync(plan, folder, log, cancel);
        await RefillAsync(folder, log, stored, cancel);
    }

    private static async Task<ConnectionMultiplexer> ConnectAsync(string connection)
    {
        var options = ConfigurationOptions.Parse(connection);
        try
        {
            return await ConnectionMultiplexer.ConnectAsync(options);
        }
        catch (RedisConnectionException fault)
        {
            // The configuration may hold a password: only where it looks is said.
            throw RedisRefusal.Of(fault, connection) is { } refusal
                ? new UsageException([$"--redis: {refusal} {RedisPassword.Variable} gives a password, too."])
                : new FailureException($"--redis: no Redis answers at {RedisRefusal.Addresses(connection)}: see that it runs there.");
        }
    }

    private static IEnumerable<string> Written(RunFolder folder) => File.Exists(folder.Log) ? LogFile.Lines(folder.Log) : [];

    /// <summary>
    /// Reads both side by side, holding a line of each, and folds the longer one: nothing is written before all of it is sound.
    /// </summary>
    /// <returns>Entries in the store.</returns>
    private static async Task<long> RequireOneLogAsync(
        RunPlan plan, RunFolder folder, RedisFederationLog log, CancellationToken cancel)
    {
        var (state, stored) = (new FederationState(), 0L);
        using var written = Written(folder).GetEnumerator();
        try
        {
            await foreach (var line in log.ReadAsync(0, cancel))
            {
                if (written.MoveNext() && written.Current != line)
                    throw Differ(folder, stored, written.Current, line);
                stored++;
                state = Follow(plan, state, line);
            }
            while (written.MoveNext())
                state = Follow(plan, state, written.Current);
        }
        catch (InvalidEntryException fault)
        {
            var where = fault.Sequence < stored ? "the log in the store" : $"'{folder.Log}'";
            throw new FailureException($"{where}: entry {fault.Sequence} (line {fault.Sequence + 1}) is wrong: {fault.Reason}.");
        }
        return stored;
    }

    private static FederationState Follow(RunPlan plan, FederationState state, string line)
    {
        var after = FederationFold.Apply(state, EventLog.Read(state.Head, line));
        if (state.Settings is null)
            RequireSettings(plan, after);
        return after;
    }

    private static FailureException Differ(RunFolder folder, long at, string written, string stored) =>
        new($"'{folder.Log}' and the log in the store differ from entry {at} (line {at + 1}) on. "
            + $"The file has: {Excerpt(written)} The store has: {Excerpt(stored)} "
            + "They are of different runs, or one was changed; neither was touched.");

    private static void RequireSettings(RunPlan plan, FederationState state)
    {
        try
        {
            FederationDecisions.Open(state, plan.Federation);
        }
        catch (InvalidOperationException fault)
        {
            throw new FailureException(fault.Message);
        }
    }

    /// <summary>Appends what the file has beyond the store, which is known to follow.</summary>
    private static async Task RefillAsync(RunFolder folder, RedisFederationLog log, long stored, CancellationToken cancel)
    {
        var (state, before) = (new FederationState(), new FederationState());
        var (lines, events) = (new List<string>(LinesAtOnce), new List<LogEvent>(LinesAtOnce));
        foreach (var line in Written(folder))
        {
            var entry = EventLog.Read(state.Head, line);
            state = FederationFold.Apply(state, entry);
            if (entry.Sequence < stored)
            {
                before = state;
                continue;
            }
            lines.Add(line);
            events.Add(entry.Event);
            if (lines.Count < LinesAtOnce)
                continue;
            await AppendAsync(log, before, lines, events, state, cancel);
            before = state;
        }
        await AppendAsync(log, before, lines, events, state, cancel);
    }

    private static async Task AppendAsync(
        RedisFederationLog log, FederationState before, List<string> lines, List<LogEvent> events, FederationState after,
        CancellationToken cancel)
    {
        if (lines.Count == 0)
            return;
        var inHand = await log.ReadInHandKeysAsync(cancel);
        if (!await log.AppendAsync(before, inHand, lines, events, after, cancel))
            throw new FailureException("somebody else writes into the store of this run.");
        lines.Clear();
        events.Clear();
    }

    private static string Excerpt(string line) => line.Length <= 160 ? line : line[..160] + "…";
}
