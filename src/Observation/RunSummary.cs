using FedKSeed.Federation;
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
    /// <summary>Why it was this version that was kept, in words; empty when the log does not say.</summary>
    public string Why { get; init; } = "";

    /// <summary>Hash of the log's last entry: who has it can tell whether a log is this one.</summary>
    public string LogHash { get; init; } = "";

    /// <summary>What to change, a sentence each, after a federation that diverged, or whose base model is the best; else nothing.</summary>
    public IReadOnlyList<string> Advice { get; init; } = [];

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
            modelBytes, duration.TotalSeconds, Path.GetFullPath(folder))
        {
            Why = WhyKept(metrics.State, closed.Version),
            LogHash = metrics.State.Head.Hash,
        };
    }

    private static string WhyKept(FederationState state, int version)
    {
        var isBest = version == state.BestVersion && state.EvaluationOf(version)?.Loss is not null;
        return (version == state.Version, isBest) switch
        {
            (true, true) => "it is the last one, and has the least held-out loss of those evaluated",
            (true, false) => "it is the last one",
            (false, true) => "it has the least held-out loss of those evaluated",
            _ => "",
        };
    }

    private static double PerAssignment(IReadOnlyList<VersionMetrics> rows, Func<VersionMetrics, long> bytes)
    {
        // Of a round in which a process was killed, not all messages may have been measured.
        var measured = rows.Where(row => row.IsWhole && bytes(row) > 0).ToArray();
        return measured.Length == 0 ? 0 : (double)measured.Sum(bytes) / measured.Sum(row => row.Participants);
    }
}
