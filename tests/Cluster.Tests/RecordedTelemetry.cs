using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace FedKSeed.Cluster.Tests;

/// <summary>
/// Activities that stopped, and what our instruments measured, in this process while it is there: as an exporter would get them.
/// </summary>
internal sealed class RecordedTelemetry : IDisposable
{
    private readonly ConcurrentQueue<Activity> _activities = new();
    private readonly ConcurrentQueue<(string Instrument, string? Unit, double Value)> _measured = new();
    private readonly ActivityListener _traces;
    private readonly MeterListener _meters;

    public RecordedTelemetry()
    {
        _traces = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "MassTransit" or "FedKSeed",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _activities.Enqueue,
        };
        ActivitySource.AddActivityListener(_traces);
        _meters = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "FedKSeed")
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        _meters.SetMeasurementEventCallback<long>(
            (instrument, value, _, _) => _measured.Enqueue((instrument.Name, instrument.Unit, value)));
        _meters.SetMeasurementEventCallback<double>(
            (instrument, value, _, _) => _measured.Enqueue((instrument.Name, instrument.Unit, value)));
        _meters.Start();
    }

    public IEnumerable<Activity> Activities => _activities;

    public IEnumerable<(string Instrument, string? Unit, double Value)> Measured => _measured;

    /// <summary>A part of a federation's round, once it is over.</summary>
    public Task<Activity> StoppedAsync(string part, string federation) =>
        StoppedAsync(activity => activity.OperationName == part && (string?)activity.GetTagItem("fedkseed.federation") == federation);

    /// <summary>An activity once it is over: what it sent may arrive before.</summary>
    public async Task<Activity> StoppedAsync(Func<Activity, bool> isIt)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            if (_activities.FirstOrDefault(isIt) is { } found)
                return found;
            await Task.Delay(10, timeout.Token);
        }
    }

    public void Dispose()
    {
        _traces.Dispose();
        _meters.Dispose();
    }
}
