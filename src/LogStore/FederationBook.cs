using System.Collections.Concurrent;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using Microsoft.Extensions.Logging;

namespace FedKSeed.LogStore;

/// <summary>
/// The fold of a federation's log, kept in memory and brought up to date by reading what was appended since. It begins at the checkpoint
/// beside the log, if there is one that fits, and whoever appends writes one now and then. The log is the truth; losing this object, or the
/// checkpoint, loses nothing. Safe to call from any thread.
/// </summary>
public sealed partial class FederationBook(RedisFederationLog log, TimeProvider time, ILogger<FederationBook> logger) : IDisposable
{
    /// <summary>Entries between two checkpoints: half a second of folding.</summary>
    public const int CheckpointEvery = 5000;

    // A writer loses to another one at most once per entry that the other one appends; this many losses in a row mean a fault.
    private const int MaximumAttempts = 100;

    // Reports of one transaction: a few hundred kilobytes at 200 steps, a few milliseconds of Redis's time.
    private const int MaximumBatch = 256;

    private readonly SemaphoreSlim _oneAtATime = new(1);
    private readonly ConcurrentQueue<WaitingReport> _waiting = new();
    private FederationState _state = new();
    private int _waitingReports;
    private bool _hasBegun;
    private long _checkpointAt;

    public RedisFederationLog Log => log;

    /// <summary>The state at the present end of the log.</summary>
    public async Task<FederationState> RefreshAsync(CancellationToken cancel)
    {
        await _oneAtATime.WaitAsync(cancel);
        try
        {
            if (!_hasBegun)
                await BeginAsync(cancel);
            await foreach (var line in log.ReadAsync(_state.Head.Length, cancel))
                _state = FederationFold.Apply(_state, EventLog.Read(_state.Head, line));
            return _state;
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    /// <summary>Reads, decides and appends until nobody else came between.</summary>
    /// <param name="decide">
    /// The events that follow from the state at the time that is given, which is that of their entries; none when they happened before. May
    /// be called more than once.
    /// </param>
    /// <returns>The state after the append, or the one in which there was nothing to append.</returns>
    public Task<FederationState> AppendAsync(
        Func<FederationState, DateTimeOffset, IReadOnlyList<LogEvent>> decide, CancellationToken cancel) =>
        UntilDoneAsync(
            state =>
            {
                var now = time.GetUtcNow();
                return TryAppendAsync(state, [], decide(state, now), now, cancel);
            },
            cancel);

    /// <summary>As <see cref="AppendAsync"/>, with the reports in hand, which do not change in between either.</summary>
    public Task<FederationState> AppendWithReportsAsync(
        Func<FederationState, IEnumerable<ScalarsReportedEntry>, DateTimeOffset, IReadOnlyList<LogEvent>> decide,
        CancellationToken cancel) =>
        UntilDoneAsync(
            async state =>
            {
                var inHand = await log.ReadInHandAsync(cancel);
                var now = time.GetUtcNow();
                return await TryAppendAsync(state, [.. inHand.Keys], decide(state, inHand.Values, now), now, cancel);
            },
            cancel);

    /// <summary>
    /// Judges a report and takes it in hand if it is accepted: it is then as durable as Redis makes it. Reports that come in while others
    /// are being written share the next write, since a Redis that waits for its disk takes as long over one as over a hundred.
    /// </summary>
    public async Task<ReportVerdict> HoldAsync(ClientReport report, CancellationToken cancel)
    {
        var waiting = new WaitingReport(report);
        _waiting.Enqueue(waiting);
        if (Interlocked.Increment(ref _waitingReports) == 1)
            _ = Task.Run(HoldWaitingAsync, CancellationToken.None);
        return await waiting.Verdict.WaitAsync(cancel);
    }

    public void Dispose()
    {
        _oneAtATime.Dispose();
    }

    /// <summary>
    /// Settles the reports that wait until there are none, the oldest first and at most so many at once; what goes wrong goes wrong for
    /// each of them. Who gave up waiting is settled too: a report may be in hand without its sender hearing of it.
    /// </summary>
    private async Task HoldWaitingAsync()
    {
        var batch = new List<WaitingReport>();
        do
        {
            batch.Clear();
            while (batch.Count < MaximumBatch && _waiting.TryDequeue(out var next))
                batch.Add(next);
            try
            {
                var verdicts = await HoldAsync(batch.ConvertAll(waiting => waiting.Report), CancellationToken.None);
                foreach (var (waiting, verdict) in batch.Zip(verdicts))
                    waiting.Settle(verdict);
            }
            catch (Exception fault)
            {
                foreach (var waiting in batch)
                    waiting.Fail(fault);
            }
        }
        while (Interlocked.Add(ref _waitingReports, -batch.Count) > 0);
    }

    private async Task<ReportVerdict[]> HoldAsync(List<ClientReport> reports, CancellationToken cancel)
    {
        ReportVerdict[] verdicts = [];
        await UntilDoneAsync(
            async state =>
            {
                verdicts = [.. reports.Select(report => FederationDecisions.Judge(state, report, time.GetUtcNow()))];
                int[] accepted = [.. Enumerable.Range(0, verdicts.Length).Where(k => verdicts[k] is ReportVerdict.Accept)];
                if (accepted.Length == 0)
                    return state;
                var entries = Array.ConvertAll(accepted, k => ((ReportVerdict.Accept)verdicts[k]).Entry);
                if (await log.HoldAsync(state.Head.Length, entries, cancel) is not { } isNew)
                    return null;
                foreach (var (k, _) in accepted.Zip(isNew).Where(item => !item.Second))
                    verdicts[k] = new ReportVerdict.Repeat();
                return state;
            },
            cancel);
        return verdicts;
    }

    private async Task<FederationState?> TryAppendAsync(
        FederationState state, IReadOnlyCollection<AssignmentKey> inHand, IReadOnlyList<LogEvent> events, DateTimeOffset now,
        CancellationToken cancel)
    {
        if (events.Count == 0)
            return state;
        var (lines, entries) = EventLog.Write(state.Head, now, events);
        var after = FederationFold.Fold(state, entries);
        if (!await log.AppendAsync(state, inHand, lines, events, after, cancel))
            return null;
        await KeepAsync(after, cancel);
        return after;
    }

    /// <summary>The state to fold from: the checkpoint's, when the log's hash at its entry is the checkpoint's own.</summary>
    private async Task BeginAsync(CancellationToken cancel)
    {
        if (await log.ReadCheckpointAsync(cancel) is { } text)
        {
            try
            {
                var state = StateCheckpoint.Read(text);
                if (await log.ReadHashAsync(state.Head.Length - 1, cancel) != state.Head.Hash)
                    throw new InvalidCheckpointException($"the log has another entry {state.Head.Length - 1}");
                (_state, _checkpointAt) = (state, state.Head.Length);
            }
            catch (InvalidCheckpointException fault)
            {
                Ignored(log.Federation, fault.Message);
            }
        }
        _hasBegun = true;
    }

    /// <summary>A checkpoint that cannot be written now is written later: nothing depends on it.</summary>
    private async Task WriteCheckpointAsync(FederationState state, CancellationToken cancel)
    {
        var before = Interlocked.Read(ref _checkpointAt);
        if (state.Head.Length < before + CheckpointEvery
            || Interlocked.CompareExchange(ref _checkpointAt, state.Head.Length, before) != before)
            return;
        try
        {
            await log.WriteCheckpointAsync(StateCheckpoint.Write(state), cancel);
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault))
        {
            Interlocked.Exchange(ref _checkpointAt, before);
        }
    }

    /// <summary>What this process appended it need not read back.</summary>
    private async Task KeepAsync(FederationState after, CancellationToken cancel)
    {
        await _oneAtATime.WaitAsync(cancel);
        if (after.Head.Length > _state.Head.Length)
            _state = after;
        _oneAtATime.Release();
    }

    private async Task<FederationState> UntilDoneAsync(Func<FederationState, Task<FederationState?>> attempt, CancellationToken cancel)
    {
        for (var attempts = 0; attempts < MaximumAttempts; attempts++)
        {
            var state = await RefreshAsync(cancel);
            if (await attempt(state) is { } done)
            {
                await WriteCheckpointAsync(done, cancel);
                return done;
            }
            // A log only ever grows: a shorter one was removed.
            if (await log.LengthAsync(cancel) < state.Head.Length)
                throw new NoSuchFederationException(log.Federation);
        }
        throw new InvalidOperationException($"Federation '{log.Federation}' was written by others {MaximumAttempts} times in a row.");
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "The checkpoint beside the log of {Federation} is ignored, and the log read from its beginning: {Reason}")]
    private partial void Ignored(string federation, string reason);

    private sealed class WaitingReport(ClientReport report)
    {
        // Not on the thread of whoever settles it, which has the next reports to see to.
        private readonly TaskCompletionSource<ReportVerdict> _verdict = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ClientReport Report { get; } = report;

        public Task<ReportVerdict> Verdict => _verdict.Task;

        public void Settle(ReportVerdict verdict) => _verdict.TrySetResult(verdict);

        public void Fail(Exception fault) => _verdict.TrySetException(fault);
    }
}
