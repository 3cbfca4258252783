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
        var stored = await log.ReadAsync(0, cancel).ToListAsync(cancel);
        if (!isResumed && stored.Count > 0)
            throw new FailureException(
                $"the store holds a federation named '{plan.Federation.Name}' already, of {stored.Count} entries: "
                    + "choose another --name, or continue it with --resume and the folder of its run.");
        var written = Written(folder);
        RequireOneLog(folder, written, stored);
        var longer = written.Count > stored.Count ? written : stored;
        var states = Fold(longer, written.Count > stored.Count ? $"'{folder.Log}'" : "the log in the store");
        RequireSettings(plan, states);
        for (var from = stored.Count; from < written.Count; from += LinesAtOnce)
            await AppendAsync(log, written, states, from, cancel);
    }

    private static async Task<ConnectionMultiplexer> ConnectAsync(string connection)
    {
        var options = ConfigurationOptions.Parse(connection);
        try
        {
            return await ConnectionMultiplexer.ConnectAsync(options);
        }
        catch (RedisConnectionException)
        {
            // The configuration may hold a password: only where it looks is said.
            throw new FailureException($"no Redis answers at {string.Join(", ", options.EndPoints)}, or it refuses: see --redis.");
        }
    }

    /// <summary>Whole lines; one that a dying process left half written is cut off.</summary>
    private static List<string> Written(RunFolder folder)
    {
        if (!File.Exists(folder.Log))
            return [];
        LogFile.TruncateTornLine(folder.Log);
        return [.. File.ReadLines(folder.Log)];
    }

    private static void RequireOneLog(RunFolder folder, List<string> written, List<string> stored)
    {
        var common = Math.Min(written.Count, stored.Count);
        for (var at = 0; at < common; at++)
            if (written[at] != stored[at])
                throw new FailureException(
                    $"'{folder.Log}' and the log in the store differ from entry {at} (line {at + 1}) on. "
                        + $"The file has: {Excerpt(written[at])} The store has: {Excerpt(stored[at])} "
                        + "They are of different runs, or one was changed; neither was touched.");
    }

    private static List<FederationState> Fold(IReadOnlyList<string> lines, string where)
    {
        var states = new List<FederationState> { new() };
        try
        {
            foreach (var line in lines)
                states.Add(FederationFold.Apply(states[^1], EventLog.Read(states[^1].Head, line)));
        }
        catch (InvalidEntryException fault)
        {
            throw new FailureException($"{where}: entry {fault.Sequence} (line {fault.Sequence + 1}) is wrong: {fault.Reason}.");
        }
        return states;
    }

    private static void RequireSettings(RunPlan plan, List<FederationState> states)
    {
        try
        {
            FederationDecisions.Open(states[^1], plan.Federation);
        }
        catch (InvalidOperationException fault)
        {
            throw new FailureException(fault.Message);
        }
    }

    private static async Task AppendAsync(
        RedisFederationLog log, List<string> written, List<FederationState> states, int from, CancellationToken cancel)
    {
        var to = Math.Min(from + LinesAtOnce, written.Count);
        var lines = written.Skip(from).Take(to - from).ToArray();
        LogEvent[] events = [.. lines.Select((line, at) => EventLog.Read(states[from + at].Head, line).Event)];
        var inHand = (await log.ReadInHandKeysAsync(cancel)).Count;
        if (!await log.AppendAsync(from, inHand, lines, events, states[to], cancel))
            throw new FailureException("somebody else writes into the store of this run.");
    }

    private static string Excerpt(string line) => line.Length <= 160 ? line : line[..160] + "…";
}
