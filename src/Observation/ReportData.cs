using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rates;

namespace FedKSeed.Observation;

/// <summary>What became of a client in a round.</summary>
public enum Participation
{
    /// <summary>It was not asked.</summary>
    Absent,

    /// <summary>Its report is in its own round's commit.</summary>
    InTime,

    /// <summary>Its report is in a later commit.</summary>
    Late,

    /// <summary>No commit took in a report of it.</summary>
    Missing,
}

/// <summary>One version's measurements, as the charts take them; null where not all of a round was measured.</summary>
public sealed record ReportVersion(
    int Version, int Participants, int Reports, double? TrainingLoss, double? HeldOutLoss, double? ExactMatch, double? RougeL,
    long? BytesUp, long? BytesDown, double Seconds);

/// <summary>Everything that the report shows: a fold of the log beside what was measured.</summary>
/// <param name="Participation">By client, in the order of <paramref name="Clients"/>, then by round from 1.</param>
/// <param name="ClientLoss">Mean loss of a client's steps in a round, likewise; null where none was measured.</param>
/// <param name="ClientRate">
/// Factor on the round's learning rate in a client's last assignment of it, likewise; null where it had none, empty where all have one
/// rate.
/// </param>
/// <param name="Importance">Mean |projected gradient| of every seed.</param>
/// <param name="Draws">Accepted scalars of every seed.</param>
public sealed record ReportData(
    FederationSettings Settings, RunSummary Summary, IReadOnlyList<ReportVersion> Versions, IReadOnlyList<string> Clients,
    IReadOnlyList<int[]> Participation, IReadOnlyList<double?[]> ClientLoss, IReadOnlyList<double?[]> ClientRate,
    IReadOnlyList<double> Importance, IReadOnlyList<int> Draws)
{
    public static ReportData Of(IEnumerable<LogEntry> log, RunMetrics metrics, RunSummary summary)
    {
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(metrics);
        var state = new FederationState();
        var asked = new SortedDictionary<string, Dictionary<int, Participation>>(StringComparer.Ordinal);
        var rates = new Dictionary<(string Client, int Round), double>();
        foreach (var entry in log)
        {
            state = FederationFold.Apply(state, entry);
            if (entry.Event is RoundStartedEntry started)
                foreach (var client in started.Participants)
                    RoundsOf(client)[started.Round] = Observation.Participation.Missing;
            if (entry.Event is SeedsAssignedEntry assigned)
                rates[(assigned.Client, assigned.Round)] =
                    Math.Round(assigned.LearningRate / state.Settings!.LearningRateOf(assigned.Round), 4);
            if (entry.Event is RoundCommittedEntry committed)
                foreach (var report in committed.Reports)
                    RoundsOf(report.Client)[report.Round] =
                        report.Round == committed.Round ? Observation.Participation.InTime : Observation.Participation.Late;
        }
        var seeds = Enumerable.Range(0, state.Importance.Counts.Length);
        return new ReportData(
            state.Settings!, summary, Rows(state, metrics.Rows), [.. asked.Keys],
            [.. asked.Values.Select(
                rounds => Enumerable.Range(1, state.LastRound).Select(round => (int)rounds.GetValueOrDefault(round)).ToArray())],
            [.. asked.Keys.Select(
                client => Enumerable.Range(1, state.LastRound).Select(round => Rounded(metrics.LossOf(round, client))).ToArray())],
            state.Settings!.ClientRates == ClientRateRule.None ? [] : [.. asked.Keys.Select(client => Enumerable.Range(1, state.LastRound)
                .Select(round => rates.TryGetValue((client, round), out var rate) ? rate : default(double?)).ToArray())],
            [.. seeds.Select(seed => Math.Round(state.Importance.Mean(seed), 5))], state.Importance.Counts.ToArray());

        Dictionary<int, Participation> RoundsOf(string client) =>
            asked.TryGetValue(client, out var rounds) ? rounds : asked[client] = [];
    }

    private static double? Rounded(double? loss) => loss is { } value && double.IsFinite(value) ? Math.Round(value, 4) : null;

    private static ReportVersion[] Rows(FederationState state, IReadOnlyList<VersionMetrics> metrics)
    {
        var first = state.EvaluationOf(0);
        var start = new ReportVersion(0, 0, 0, null, first?.Loss, first?.ExactMatch, first?.RougeL, null, null, 0);
        return
        [
            start,
            .. metrics.Select(row => new ReportVersion(
                row.Version, row.Participants, row.Reports, row.IsWhole ? row.TrainingLoss : null, row.HeldOut?.Loss,
                row.HeldOut?.ExactMatch, row.HeldOut?.RougeL, Whole(row, row.BytesUp), Whole(row, row.BytesDown), row.Seconds)),
        ];
    }

    private static long? Whole(VersionMetrics row, long bytes) => row.IsWhole && bytes > 0 ? bytes : null;
}
