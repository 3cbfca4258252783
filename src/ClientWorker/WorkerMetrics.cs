using System.Diagnostics.Metrics;
using FedKSeed.Operations;

namespace FedKSeed.ClientWorker;

/// <summary>What a worker counts and times. Safe to use from any thread.</summary>
public sealed class WorkerMetrics
{
    private readonly Counter<long> _steps;
    private readonly Counter<long> _bytesDown;
    private readonly Histogram<double> _step;
    private readonly Histogram<double> _rebuild;

    public WorkerMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        var meter = meters.Create(Telemetry.Name);
        _steps = meter.CreateCounter<long>("fedkseed.steps", "{step}", "Zeroth-order steps, skipped ones included.");
        _bytesDown = meter.CreateCounter<long>("fedkseed.assignments.size", "By", "Serialised assignments, envelopes included.");
        _step = meter.CreateHistogram<double>("fedkseed.step.duration", "s", "Of one step: both signs of a direction, and its update.");
        _rebuild = meter.CreateHistogram<double>(
            "fedkseed.rebuild.duration", "s", "All weights of a version from the base model and K integers.");
    }

    public void Assigned(long bytes) => _bytesDown.Add(bytes);

    public void Stepped(TimeSpan duration)
    {
        _steps.Add(1);
        _step.Record(duration.TotalSeconds);
    }

    public void Rebuilt(TimeSpan duration) => _rebuild.Record(duration.TotalSeconds);
}
