using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using StackExchange.Redis;

namespace FedKSeed.Reliability;

/// <summary>
/// Follows a federation from outside: it folds the log as it grows, hears which reports were accepted, and says at any moment whether
/// everything promised holds. Safe to use from any thread.
/// </summary>
public sealed class Witness : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    private readonly ConnectionMultiplexer _redis;
    private readonly AcceptedReports _accepted;
    private readonly string _federation;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private readonly LogTally _tally = new();
    private readonly ConcurrentDictionary<int, long> _committedAt = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _following;
    private volatile FederationState _state = new();

    private Witness(ConnectionMultiplexer redis, AcceptedReports accepted, string federation, TimeProvider time)
    {
        (_redis, _accepted, _federation, _time) = (redis, accepted, federation, time);
        _following = FollowAsync();
    }

    /// <summary>The fold of the log as last read.</summary>
    public FederationState State => _state;

    /// <summary>Reports that were announced as accepted.</summary>
    public int Accepted => _accepted.Count;

    /// <summary>Announcements of reports that had been accepted before.</summary>
    public long Repeats => _accepted.Repeats;

    /// <summary>Reports in the log.</summary>
    public int Written => _tally.Written.Count;

    /// <summary>Reports that commits took in.</summary>
    public int Committed => _tally.Committed;

    /// <summary>Accepted reports that were neither in the log nor in hand when they were last looked for.</summary>
    public int Lost { get; private set; }

    /// <summary>Times that a report was in the log, or in a commit, beyond its first.</summary>
    public long Doubled => _tally.Doubled;

    /// <param name="servers">
    /// Broker and Redis themselves, no proxy: what the witness sees must not depend on what befalls the services.
    /// </param>
    /// <param name="federation">Its name. Start the witness before its services.</param>
    public static async Task<Witness> StartAsync(ServerAddresses servers, string federation, TimeProvider time, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(servers);
        var options = ConfigurationOptions.Parse(servers.Redis);
        (options.AbortOnConnectFail, options.ConnectTimeout, options.AsyncTimeout) = (false, 1000, 2000);
        options.ReconnectRetryPolicy = new LinearRetry(200);
        var redis = await ConnectionMultiplexer.ConnectAsync(options);
        return new Witness(redis, await AcceptedReports.ListenAsync(servers.Broker, federation, cancel), federation, time);
    }

    /// <summary>When a round's commit was first seen, as a timestamp of the time provider; null before.</summary>
    public long? CommittedAt(int round) => _committedAt.TryGetValue(round, out var at) ? at : null;

    /// <summary>Waits for the log to say something.</summary>
    /// <param name="what">For the message when it does not.</param>
    /// <exception cref="InvariantException">It did not within the bound, or the log is not what it must be.</exception>
    public async Task UntilAsync(Func<FederationState, bool> condition, TimeSpan bound, string what, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(condition);
        var began = _time.GetTimestamp();
        while (!condition(_state))
        {
            if (_following.IsFaulted)
                await _following;
            if (_time.GetElapsedTime(began) > bound)
                throw new InvariantException(
                    $"Not within {bound.TotalSeconds:F0} s: {what}. Version {_state.Version}, round "
                        + $"{_state.Round?.Number.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "none"} is open.");
            await Task.Delay(Interval, _time, cancel);
        }
    }

    /// <summary>Waits until a round is committed.</summary>
    public Task UntilCommittedAsync(int round, TimeSpan bound, CancellationToken cancel) =>
        UntilAsync(state => state.LastCommit?.Round >= round, bound, $"the end of round {round}", cancel);

    /// <summary>
    /// Checks everything that can be checked while the federation goes on: the log folds, nothing is in it or applied twice, every report
    /// that was announced as accepted is in the log or in hand, and what Redis keeps beside the log is what the log leads to, bit for bit.
    /// </summary>
    /// <exception cref="InvariantException">Something does not hold.</exception>
    /// <exception cref="RedisException">Redis does not answer.</exception>
    public async Task AuditAsync(CancellationToken cancel)
    {
        if (_following.IsFaulted)
            await _following;
        // What was announced before the book is read must be in it.
        var accepted = _accepted.Keys;
        await _oneAtATime.WaitAsync(cancel);
        try
        {
            var live = await ReadAsync();
            var inHand = live.InHand;
            var missing = accepted.Where(key => !_tally.Written.Contains(key) && !inHand.Contains(key.ToString())).ToArray();
            Lost = missing.Length;
            if (missing.Length > 0)
                throw new InvariantException($"{missing.Length} accepted reports are lost: {string.Join(", ", missing.Take(10))}.");
            if (_tally.Doubled > 0)
                throw new InvariantException($"Reports are in the log, or in its commits, {_tally.Doubled} times beyond their first.");
            RequireSame(live);
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>
    /// Reads the whole log once more: nothing that was once in it has changed since, and a fold of it from the start leads to the same
    /// state.
    /// </summary>
    /// <exception cref="InvariantException">It is another log.</exception>
    public async Task ReplayAsync(CancellationToken cancel)
    {
        await _oneAtATime.WaitAsync(cancel);
        try
        {
            await ReadAsync();
            var again = new LogTally();
            again.Add((await Database.ListRangeAsync(Key("log"), 0, _tally.State.Head.Length - 1)).Select(line => line.ToString()));
            if (again.State.Head != _tally.State.Head || !again.State.Accumulators.Span.SequenceEqual(_tally.State.Accumulators.Span)
                || !again.State.Importance.Amplitudes.Span.SequenceEqual(_tally.State.Importance.Amplitudes.Span))
                throw new InvariantException(
                    $"A replay of the log ends at {again.State.Head}, what was read as it grew at {_tally.State.Head}.");
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await ((Task)_following).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _accepted.DisposeAsync();
        await _redis.DisposeAsync();
        _stopping.Dispose();
        _oneAtATime.Dispose();
    }

    private IDatabase Database => _redis.GetDatabase();

    /// <summary>The key layout that the store documents.</summary>
    private RedisKey Key(string name) => $"fedkseed:{{{_federation}}}:{name}";

    private async Task FollowAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            await _oneAtATime.WaitAsync();
            try
            {
                Take(await Database.ListRangeAsync(Key("log"), _tally.State.Head.Length));
            }
            catch (Exception fault) when (fault is RedisException or TimeoutException)
            {
                // It is down, as it may well be here; the log is read on when it is back.
            }
            finally
            {
                _oneAtATime.Release();
            }
            await Task.Delay(Interval, _time);
        }
    }

    /// <summary>Log, hand and everything derived, as of one moment.</summary>
    private async Task<LiveBook> ReadAsync()
    {
        var transaction = Database.CreateTransaction();
        var lines = transaction.ListRangeAsync(Key("log"), _tally.State.Head.Length);
        var length = transaction.ListLengthAsync(Key("log"));
        var inHand = transaction.HashKeysAsync(Key("in-hand"));
        var snapshot = transaction.HashGetAllAsync(Key("snapshot"));
        var importance = transaction.SortedSetRangeByRankWithScoresAsync(Key("importance"));
        await transaction.ExecuteAsync();
        Take(await lines);
        if (await length != _tally.State.Head.Length)
            throw new InvariantException($"The log has {await length} entries and had {_tally.State.Head.Length}.");
        return new LiveBook(
            (await inHand).Select(field => field.ToString()).ToHashSet(),
            (await snapshot).ToDictionary(field => field.Name.ToString(), field => field.Value),
            (await importance).ToDictionary(seed => (int)seed.Element, seed => seed.Score));
    }

    private void Take(RedisValue[] lines)
    {
        foreach (var round in _tally.Add(lines.Select(line => line.ToString())))
            _committedAt.TryAdd(round, _time.GetTimestamp());
        _state = _tally.State;
    }

    private void RequireSame(LiveBook live)
    {
        var state = _tally.State;
        if (state.Settings is null)
            return;
        var quantised = QuantisedAccumulators.Of(state.Accumulators.Span);
        var isSame = live.Snapshot["version"] == state.Version && live.Snapshot["round"] == state.LastRound
            && live.Snapshot["entries"] == state.Head.Length && live.Snapshot["shift"] == quantised.Shift
            && ((byte[])live.Snapshot["quantised"]!).AsSpan().SequenceEqual(MemoryMarshal.AsBytes(quantised.Values.Span));
        if (!isSame)
            throw new InvariantException($"The snapshot in Redis is not what the log leads to at entry {state.Head.Length}.");
        var counts = state.Importance.Counts;
        for (var seed = 0; seed < counts.Length; seed++)
        {
            var score = live.Importance.TryGetValue(seed, out var kept) ? kept : (double?)null;
            if (score != (counts.Span[seed] == 0 ? null : state.Importance.Mean(seed)))
                throw new InvariantException(
                    $"The importance of seed {seed} in Redis is {score}, the log leads to {state.Importance.Mean(seed)}.");
        }
        if (live.InHand.FirstOrDefault(_tally.Holds) is { } both)
            throw new InvariantException($"Report {both} is in hand and in the log.");
    }

    private sealed record LiveBook(HashSet<string> InHand, Dictionary<string, RedisValue> Snapshot, Dictionary<int, double> Importance);
}
