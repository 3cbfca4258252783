using System.Diagnostics.Metrics;
using FedKSeed.Operations;

namespace FedKSeed.Cli.Run;

/// <summary>Mean times of what a federation in this process does, taken from the metrics that its workers keep.</summary>
internal sealed class RunTimes : IDisposable
{
    private const string Step = "fedkseed.step.duration", Rebuild = "fedkseed.rebuild.duration";

    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private readonly Dictionary<string, (long Count, double Sum)> _byName = [];

    public RunTimes()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == Telemetry.Name && instrument.Name is Step or Rebuild)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<double>((instrument, seconds, _, _) =>
        {
            lock (_lock)
            {
                var (count, sum) = _byName.GetValueOrDefault(instrument.Name);
                _byName[instrument.Name] = (count + 1, sum + seconds);
            }
        });
        _listener.Start();
    }

    /// <summary>Seconds; 0 when there was none.</summary>
    public double MeanStep => Mean(Step);

    /// <summary>Seconds; 0 when there was none.</summary>
    public double MeanRebuild => Mean(Rebuild);

    public void Dispose() => _listener.Dispose();

    private double Mean(string name)
    {
        lock (_lock)
            return _byName.TryGetValue(name, out var found) ? found.Sum / found.Count : 0;
    }
}
