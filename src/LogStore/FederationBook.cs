using FedKSeed.Federation;

namespace FedKSeed.LogStore;

/// <summary>
/// The fold of a federation's log, kept in memory and brought up to date by reading what was appended since. The log is the truth;
/// losing this object loses nothing. Safe to call from any thread.
/// </summary>
public sealed class FederationBook(RedisFederationLog log, TimeProvider time) : IDisposable
{
    // A writer loses to another one at most once per entry that the other one appends; this many losses in a row mean a fault.
    private const int MaximumAttempts = 100;

    private readonly SemaphoreSlim _oneAtATime = new(1);
    private FederationState _state = new();

    public RedisFederationLog Log => log;

    /// <summary>The state at the present end of the log.</summary>
    public async Task<FederationState> RefreshAsync(CancellationToken cancel)
    {
        await _oneAtATime.WaitAsync(cancel);
        try
        {
            foreach (var line in await log.ReadAsync(_state.Head.Length, cancel))
                _state = FederationFold.Apply(_state, EventLog.Read(_state.Head, line));
            return _state;
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>Reads, decides and appends until nobody else came between.</summary>
    /// <param name="decide">The events that follow from the state; none when they happened before. May be called more than once.</param>
    /// <returns>The state after the append, or the one in which there was nothing to append.</returns>
    public Task<FederationState> AppendAsync(Func<FederationState, IReadOnlyList<LogEvent>> decide, CancellationToken cancel) =>
        UntilDoneAsync(state => TryAppendAsync(state, 0, decide(state), cancel), cancel);

    /// <summary>As <see cref="AppendAsync"/>, with the reports in hand, which do not change in between either.</summary>
    public Task<FederationState> AppendWithReportsAsync(
        Func<FederationState, IEnumerable<ScalarsReportedEntry>, IReadOnlyList<LogEvent>> decide, CancellationToken cancel) =>
        UntilDoneAsync(
            async state =>
            {
                var inHand = await log.ReadInHandAsync(cancel);
                return await TryAppendAsync(state, inHand.Count, decide(state, inHand.Values), cancel);
            },
            cancel);

    /// <summary>Judges a report and takes it in hand if it is accepted.</summary>
    public async Task<ReportVerdict> HoldAsync(Report report, CancellationToken cancel)
    {
        ReportVerdict verdict = new ReportVerdict.Repeat();
        await UntilDoneAsync(
            async state =>
            {
                verdict = FederationDecisions.Judge(state, report);
                if (verdict is not ReportVerdict.Accept accepted)
                    return state;
                if (await log.HoldAsync(state.Head.Length, accepted.Entry, cancel))
                    return state;
                if (!(await log.ReadInHandKeysAsync(cancel)).Contains(report.Key))
                    return null;
                verdict = new ReportVerdict.Repeat();
                return state;
            },
            cancel);
        return verdict;
    }

    public void Dispose() => _oneAtATime.Dispose();

    private async Task<FederationState?> TryAppendAsync(
        FederationState state, int inHand, IReadOnlyList<LogEvent> events, CancellationToken cancel)
    {
        if (events.Count == 0)
            return state;
        var (lines, entries) = EventLog.Write(state.Head, time.GetUtcNow(), events);
        var after = FederationFold.Fold(state, entries);
        return await log.AppendAsync(state.Head.Length, inHand, lines, events, after, cancel) ? after : null;
    }

    private async Task<FederationState> UntilDoneAsync(Func<FederationState, Task<FederationState?>> attempt, CancellationToken cancel)
    {
        for (var attempts = 0; attempts < MaximumAttempts; attempts++)
            if (await attempt(await RefreshAsync(cancel)) is { } done)
                return done;
        throw new InvalidOperationException($"Federation '{log.Federation}' was written by others {MaximumAttempts} times in a row.");
    }
}
