using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using FedKSeed.Federation;
using FedKSeed.Operations;

namespace FedKSeed.RoundService;

/// <summary>What a clock saw when it last looked.</summary>
/// <param name="Round">The last one that was started.</param>
/// <param name="Loss">The last held-out loss, nats a token; null where there is none.</param>
public sealed record FederationReading(int Version, int Round, int Clients, double? Loss, int InHand, long LogEntries, bool IsPaused)
{
    public static FederationReading Of(FederationState state, int clients, int inHand)
    {
        ArgumentNullException.ThrowIfNull(state);
        return new(
            state.Version, state.LastRound, clients, state.LatestEvaluation?.Loss, inHand, state.Head.Length, state.Paused is not null);
    }
}

/// <summary>
/// Instruments of each federation whose clock runs here. They say what the clock saw: whoever reads them costs Redis nothing, and of
/// several RoundServices one has each federation. Safe to use from any thread.
/// </summary>
public sealed class FederationGauges
{
    private readonly ConcurrentDictionary<string, FederationReading> _readings = new(StringComparer.Ordinal);

    public FederationGauges(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        var meter = meters.Create(Telemetry.Name);
        Gauge(meter, "version", "{version}", "Commits so far.", reading => reading.Version);
        Gauge(meter, "round", "{round}", "The last round that was started.", reading => reading.Round);
        Gauge(meter, "clients", "{client}", "Clients that are alive.", reading => reading.Clients);
        Gauge(meter, "loss", "{nat}", "The last held-out loss, nats a token.", reading => reading.Loss);
        Gauge(meter, "reports", "{report}", "Accepted reports that wait for a commit.", reading => reading.InHand);
        Gauge(meter, "entries", "{entry}", "Entries of the log.", reading => reading.LogEntries);
        Gauge(meter, "paused", "{federation}", "Whether somebody paused it: 1 or 0.", reading => reading.IsPaused ? 1 : 0);
    }

    public void Set(string federation, FederationReading reading) => _readings[federation] = reading;

    /// <summary>Its clock does not run here any more.</summary>
    public void Forget(string federation) => _readings.TryRemove(federation, out _);

    private void Gauge(Meter meter, string name, string unit, string description, Func<FederationReading, double?> of) =>
        meter.CreateObservableGauge(
            $"fedkseed.federation.{name}",
            () => _readings.Where(item => of(item.Value) is not null).Select(item => new Measurement<double>(
                of(item.Value)!.Value, new KeyValuePair<string, object?>("federation", item.Key))),
            unit, description);
}
