using System.Text;
using System.Threading.Channels;
using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using FedKSeed.Observation;
using FedKSeed.Versions;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace FedKSeed.Cli.Run;

/// <summary>
/// Copies the log from Redis into the run's folder as it grows, line for line, and keeps metrics.csv and clients.csv. Ends when the log
/// says that the federation is closed; <see cref="Closed"/> then holds its last state, or what went wrong.
/// </summary>
public sealed class RunRecorder : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan MetricsInterval = TimeSpan.FromSeconds(2);

    private readonly RunFolder _folder;
    private readonly RedisFederationLog _log;
    private readonly TimeProvider _time;
    private readonly RunMetrics _metrics;
    private readonly Channel<object> _messages = Channel.CreateUnbounded<object>();
    private readonly TaskCompletionSource<RunMetrics> _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _written;

    public RunRecorder(RunFolder folder, RecordedFederation federation, IConnectionMultiplexer redis, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(federation);
        (_folder, _time, _metrics) = (folder, time, TakenOver(folder));
        _log = new RedisFederationLog(redis, federation.Name);
    }

    /// <summary>Metrics that know what an earlier process measured, if one did; the log is yet to be read.</summary>
    internal static RunMetrics TakenOver(RunFolder folder)
    {
        ArgumentNullException.ThrowIfNull(folder);
        var metrics = new RunMetrics();
        if (File.Exists(folder.ClientMetrics))
            LogFile.TruncateTornLine(folder.ClientMetrics);
        metrics.TakeOver(Lines(folder.Metrics), Lines(folder.ClientMetrics));
        return metrics;
    }

    public Task<RunMetrics> Closed => _closed.Task;

    /// <summary>A message that measures something: <see cref="LocalProgress"/> or <see cref="ReportAccepted"/>.</summary>
    public void Observe(object message) => _messages.Writer.TryWrite(message);

    /// <summary>Ends the run with a failure of one of its parts.</summary>
    public void Fail(string reason) => _closed.TrySetException(new FailureException(reason));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await RecordAsync(stoppingToken);
            _closed.TrySetResult(_metrics);
        }
        catch (OperationCanceledException)
        {
            // What was measured since is not lost to whoever resumes the run.
            WriteMetrics();
            _closed.TrySetCanceled(CancellationToken.None);
        }
        catch (Exception fault)
        {
            _closed.TrySetException(fault);
        }
    }

    private async Task RecordAsync(CancellationToken cancel)
    {
        _written = LogFile.TruncateTornLine(_folder.Log);
        await CatchUpAsync(cancel);
        await using var file = new FileStream(_folder.Log, FileMode.Append, FileAccess.Write, FileShare.Read);
        var (metricsAt, isDirty) = (_time.GetTimestamp(), true);
        using var timer = new PeriodicTimer(Interval, _time);
        while (true)
        {
            _folder.RequireSpace();
            isDirty |= await AppendNewAsync(file, cancel);
            while (_messages.Reader.TryRead(out var message))
                Measure(message);
            var isClosed = _metrics.State.Closed is not null;
            if (isDirty && (isClosed || _time.GetElapsedTime(metricsAt) >= MetricsInterval))
            {
                WriteMetrics();
                (metricsAt, isDirty) = (_time.GetTimestamp(), false);
            }
            if (isClosed)
                return;
            await timer.WaitForNextTickAsync(cancel);
        }
    }

    /// <summary>A resumed run's file holds a part of the log already: it must be a part of this one.</summary>
    private async Task CatchUpAsync(CancellationToken cancel)
    {
        using var own = File.ReadLines(_folder.Log).GetEnumerator();
        var same = 0L;
        await foreach (var line in _log.ReadAsync(0, cancel))
        {
            if (!own.MoveNext() || own.Current != line)
                break;
            Apply(line);
            same++;
        }
        if (same != _written)
            throw new FailureException($"'{_folder.Log}' is not the beginning of the log in the store: they belong to different runs.");
    }

    private async Task<bool> AppendNewAsync(FileStream file, CancellationToken cancel)
    {
        var before = _written;
        await foreach (var line in _log.ReadAsync(_written, cancel))
        {
            Apply(line);
            await file.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), cancel);
            _written++;
        }
        await file.FlushAsync(cancel);
        return _written > before;
    }

    private void Apply(string line) => _metrics.Apply(EventLog.Read(_metrics.State.Head, line));

    private void Measure(object message)
    {
        if (message is LocalProgress progress)
            _metrics.Apply(progress);
        else if (message is ReportAccepted accepted)
            _metrics.Apply(accepted);
    }

    private void WriteMetrics()
    {
        var part = _folder.Metrics + ".part";
        File.WriteAllLines(part, _metrics.ToCsv());
        File.Move(part, _folder.Metrics, overwrite: true);
        var isNew = !File.Exists(_folder.ClientMetrics);
        if (_metrics.TakeClientRows() is { Count: > 0 } rows)
            File.AppendAllLines(_folder.ClientMetrics, isNew ? rows.Prepend(RunMetrics.ClientHeader) : rows);
    }

    private static IEnumerable<string> Lines(string file) => File.Exists(file) ? File.ReadLines(file) : [];
}
