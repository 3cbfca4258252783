using System.Diagnostics.Metrics;
using FedKSeed.Operations;

namespace FedKSeed.SeedService;

/// <summary>What SeedService counts and times. Safe to use from any thread.</summary>
public sealed class SeedServiceMetrics
{
    private readonly Counter<long> _accepted;
    private readonly Counter<long> _rejected;
    private readonly Counter<long> _rounds;
    private readonly Counter<long> _bytesUp;
    private readonly Histogram<double> _commit;

    public SeedServiceMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        var meter = meters.Create(Telemetry.Name);
        _accepted = meter.CreateCounter<long>("fedkseed.reports.accepted", "{report}", "Reports taken in hand, repeats included.");
        _rejected = meter.CreateCounter<long>("fedkseed.reports.rejected", "{report}", "Reports that changed nothing.");
        _rounds = meter.CreateCounter<long>("fedkseed.rounds.committed", "{round}", "Commits announced, repeats included.");
        _bytesUp = meter.CreateCounter<long>("fedkseed.reports.size", "By", "Serialised reports that were accepted, envelopes included.");
        _commit = meter.CreateHistogram<double>("fedkseed.commit.duration", "s", "From a round's close to its commit in the log.");
    }

    public void Accepted(long bytes)
    {
        _accepted.Add(1);
        _bytesUp.Add(bytes);
    }

    public void Rejected() => _rejected.Add(1);

    public void Committed(TimeSpan duration)
    {
        _rounds.Add(1);
        _commit.Record(duration.TotalSeconds);
    }
}
