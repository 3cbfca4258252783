using System.Runtime.CompilerServices;
using System.Text.Json;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Sampling;
using Polly;
using Polly.Retry;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>
/// The book of a federation in Redis. All keys of one federation share a hash tag, so they live on one node of a cluster:
/// <code>
/// fedkseed:{name}:log         list    one JSON line an entry, hash-chained; only ever appended to
/// fedkseed:{name}:in-hand     hash    round/client[/turn] → an accepted report that the next commit moves into the log
/// fedkseed:{name}:importance  zset    seed index → mean |projected gradient|: ZREVRANGE 0 9 WITHSCORES shows what matters most
/// fedkseed:{name}:snapshot    hash    version, round, entries, shift, quantised (int32, little-endian): for people and dashboards
/// fedkseed:{name}:checkpoint  string  the fold's state at some entry, so that a service starts soon; may be deleted at any time
/// </code>
/// Every write but the checkpoint's is one MULTI whose condition is the length of the log, so any number of writers may try and one wins.
/// What may be written is not decided here, and nothing is kept: <see cref="FederationBook"/> does both. Safe to call from any thread.
/// </summary>
public sealed class RedisFederationLog(IConnectionMultiplexer redis, string federation)
{
    // A lost connection comes back or another attempt finds the new master. The outcome of an interrupted append is unknown, but
    // its condition makes the second try fail if the first one went through, and the caller then reads what happened.
    private static readonly ResiliencePipeline Retry = new ResiliencePipelineBuilder()
        .AddRetry(new RetryStrategyOptions
        {
            ShouldHandle = new PredicateBuilder().Handle<RedisConnectionException>().Handle<TimeoutException>(),
            MaxRetryAttempts = 6,
            BackoffType = DelayBackoffType.Exponential,
            Delay = TimeSpan.FromMilliseconds(100),
            UseJitter = true,
        })
        .Build();

    // Entries of one reply: as many as are about so large, judged by those before them.
    private const int FirstPage = 256, MaximumPage = 8192, PageBytes = 4 << 20;

    private readonly RedisKey _log = LogKey(federation);
    private readonly RedisKey _inHand = $"fedkseed:{{{federation}}}:in-hand";
    private readonly RedisKey _importance = $"fedkseed:{{{federation}}}:importance";
    private readonly RedisKey _checkpoint = $"fedkseed:{{{federation}}}:checkpoint";
    private readonly RedisKey _snapshot = $"fedkseed:{{{federation}}}:snapshot";

    public string Federation { get; } = federation;

    /// <summary>Where the log of a federation is.</summary>
    internal static RedisKey LogKey(string federation) => $"fedkseed:{{{federation}}}:log";

    /// <summary>
    /// Lines of the log from a position to its present end, a few megabytes at a time: while Redis sends a whole log it answers nobody,
    /// and for longer than its clients wait.
    /// </summary>
    public async IAsyncEnumerable<string> ReadAsync(long from, [EnumeratorCancellation] CancellationToken cancel)
    {
        for (long page = FirstPage, at = from; ;)
        {
            var (first, last) = (at, at + page - 1);
            var lines = await ReadAsync(() => Database.ListRangeAsync(_log, first, last), cancel);
            foreach (var line in lines)
                yield return line.ToString();
            if (lines.Length < page)
                break;
            at += page;
            page = Math.Clamp(page * PageBytes / Math.Max(1, lines.Sum(line => line.Length())), 1, MaximumPage);
        }
    }

    /// <summary>So many lines of the log from a position, or as many as there are: for few.</summary>
    public async Task<IReadOnlyList<string>> ReadAsync(long from, int count, CancellationToken cancel) =>
        [.. (await ReadAsync(() => Database.ListRangeAsync(_log, from, from + count - 1), cancel)).Select(line => line.ToString())];

    /// <summary>The hash at the end of one line of the log; null when the log is shorter.</summary>
    public async Task<string?> ReadHashAsync(long sequence, CancellationToken cancel) =>
        await ReadAsync(() => Database.ListGetByIndexAsync(_log, sequence), cancel) is { IsNull: false } line
            ? EventLog.HashOf(line.ToString())
            : null;

    /// <summary>What <see cref="WriteCheckpointAsync"/> wrote last; null when there is nothing.</summary>
    public async Task<string?> ReadCheckpointAsync(CancellationToken cancel) =>
        await ReadAsync(() => Database.StringGetAsync(_checkpoint), cancel);

    public Task WriteCheckpointAsync(string checkpoint, CancellationToken cancel) =>
        ReadAsync(() => Database.StringSetAsync(_checkpoint, checkpoint), cancel);

    /// <summary>Reports that were accepted and are not in the log yet, by assignment.</summary>
    public async Task<IReadOnlyDictionary<AssignmentKey, ScalarsReportedEntry>> ReadInHandAsync(CancellationToken cancel)
    {
        var fields = await ReadAsync(() => Database.HashGetAllAsync(_inHand), cancel);
        return fields
            .Select(field => JsonSerializer.Deserialize<ScalarsReportedEntry>(field.Value.ToString(), EventLog.Json)!)
            .ToDictionary(report => report.Key);
    }

    /// <summary>Assignments whose reports are in hand.</summary>
    public async Task<IReadOnlySet<AssignmentKey>> ReadInHandKeysAsync(CancellationToken cancel)
    {
        var fields = await ReadAsync(() => Database.HashKeysAsync(_inHand), cancel);
        return fields.Select(field => AssignmentKey.Parse(field.ToString())).ToHashSet();
    }

    /// <summary>Takes accepted reports in hand in one transaction, unless the log grew.</summary>
    /// <returns>
    /// For each report whether it is in hand now and was not before; null when the log has another length and nothing was done.
    /// </returns>
    public async Task<IReadOnlyList<bool>?> HoldAsync(
        long expectedLength, IReadOnlyList<ScalarsReportedEntry> reports, CancellationToken cancel)
    {
        Task<bool>[] isNew = [];
        var happened = await ExecuteAsync(
            transaction =>
            {
                transaction.AddCondition(Condition.ListLengthEqual(_log, expectedLength));
                isNew = [.. reports.Select(report => transaction.HashSetAsync(
                    _inHand, report.Key.ToString(), JsonSerializer.Serialize(report, EventLog.Json),
                    When.NotExists))];
            },
            cancel);
        return happened ? await RedisOperation.RunAsync(() => Task.WhenAll(isNew), cancel) : null;
    }

    /// <summary>
    /// Appends lines, takes the reports among them, and those that they drop, out of hand and writes what others read, unless the log or
    /// the hand changed.
    /// </summary>
    /// <param name="before">The state that the lines follow.</param>
    /// <param name="inHand">Reports in hand when the lines were decided: those that the lines take in or drop leave it.</param>
    /// <param name="after">The state that they lead to.</param>
    public Task<bool> AppendAsync(
        FederationState before, IReadOnlyCollection<AssignmentKey> inHand, IReadOnlyList<string> lines, IReadOnlyList<LogEvent> events,
        FederationState after, CancellationToken cancel)
    {
        var leaving = events.OfType<ScalarsReportedEntry>().Select(report => report.Key)
            .Concat(FederationDecisions.DroppedBy(events, inHand)).Select(key => (RedisValue)key.ToString()).ToArray();
        return ExecuteAsync(
            transaction =>
            {
                transaction.AddCondition(Condition.ListLengthEqual(_log, before.Head.Length));
                if (events.Any(happened => happened is RoundCommittedEntry or FederationClosedEntry or ClientBarredEntry))
                    transaction.AddCondition(Condition.HashLengthEqual(_inHand, inHand.Count));
                _ = transaction.ListRightPushAsync(_log, [.. lines.Select(line => (RedisValue)line)]);
                if (leaving.Length > 0)
                    _ = transaction.HashDeleteAsync(_inHand, leaving);
                if (Importances(before.Importance, after.Importance) is { Length: > 0 } importances)
                    _ = transaction.SortedSetAddAsync(_importance, importances);
                _ = transaction.HashSetAsync(_snapshot, Snapshot(after));
            },
            cancel);
    }

    /// <summary>Entries of the log.</summary>
    public async Task<long> LengthAsync(CancellationToken cancel) => await ReadAsync(() => Database.ListLengthAsync(_log), cancel);

    /// <summary>Deletes all of the federation's keys at once, whoever wrote them.</summary>
    public Task DeleteAsync(CancellationToken cancel) => RedisOperation.RunAsync(
        () => Database.KeyDeleteAsync(
            [_log, _inHand, _importance, _checkpoint, _snapshot, .. RedisPresence.KeysOf(Federation)]),
        cancel);

    public Task<TimeSpan> PingAsync(CancellationToken cancel) => RedisOperation.RunAsync(() => Database.PingAsync(), cancel);

    private IDatabase Database => redis.GetDatabase();

    private static async Task<T> ReadAsync<T>(Func<Task<T>> read, CancellationToken cancel) =>
        await Retry.ExecuteAsync(async token => await RedisOperation.RunAsync(read, token), cancel);

    private async Task<bool> ExecuteAsync(Action<ITransaction> compose, CancellationToken cancel) =>
        await Retry.ExecuteAsync(
            async token =>
            {
                var transaction = Database.CreateTransaction();
                compose(transaction);
                return await RedisOperation.RunAsync(() => transaction.ExecuteAsync(), token);
            },
            cancel);

    /// <summary>Scores that commits changed: those of the seeds that they took scalars of.</summary>
    private static SortedSetEntry[] Importances(Importance before, Importance after) =>
        before.Counts.Equals(after.Counts)
            ? []
            : [.. Enumerable.Range(0, after.Counts.Length)
                .Where(seed => after.Counts.Span[seed] != (seed < before.Counts.Length ? before.Counts.Span[seed] : 0))
                .Select(seed => new SortedSetEntry(seed, after.Mean(seed)))];

    private static HashEntry[] Snapshot(FederationState after)
    {
        var quantised = QuantisedAccumulators.Of(after.Accumulators.Span, after.Settings!.Directions.LargestRank);
        return
        [
            new("version", after.Version),
            new("round", after.LastRound),
            new("entries", after.Head.Length),
            new("shift", quantised.Shift),
            new("quantised", System.Runtime.InteropServices.MemoryMarshal.AsBytes(quantised.Values.Span).ToArray()),
        ];
    }
}
