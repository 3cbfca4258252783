using FedKSeed.Federation.Log;

namespace FedKSeed.Observation;

/// <summary>What a run came to.</summary>
/// <param name="Reason">Why the federation ended.</param>
/// <param name="Version">The version that was kept.</param>
/// <param name="BytesUp">Mean of a report, serialised, envelope included.</param>
/// <param name="BytesDown">Mean of an assignment, likewise.</param>
/// <param name="FedAvgBytes">What FedAvg would have moved each way for a client and round: the model.</param>
public sealed record RunSummary(
    FederationEnd Reason, int Version, int Rounds, long Reports, HeldOutScore Before, HeldOutScore After, double BytesUp, double BytesDown,
    long FedAvgBytes, double Seconds, string Folder)
{
    /// <param name="modelBytes">Of the weights that are trained.</param>
    /// <param name="folder">Of the run.</param>
    public static RunSummary Of(
        RunMetrics metrics, HeldOutScore before, HeldOutScore after, long modelBytes, TimeSpan duration, string folder)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        var closed = metrics.State.Closed!;
        var rows = metrics.Rows;
        return new RunSummary(
            closed.Reason, closed.Version, metrics.State.LastRound, rows.Sum(row => (long)row.Reports), before, after,
            PerAssignment(rows, row => row.BytesUp), PerAssignment(rows, row => row.BytesDown),
            modelBytes, duration.TotalSeconds, Path.GetFullPath(folder));
    }

    private static double PerAssignment(IReadOnlyList<VersionMetrics> rows, Func<VersionMetrics, long> bytes)
    {
        // Rounds whose messages nobody measured, because their process was killed, have no bytes.
        var measured = rows.Where(row => bytes(row) > 0).ToArray();
        return measured.Length == 0 ? 0 : (double)measured.Sum(bytes) / measured.Sum(row => row.Participants);
    }
}
