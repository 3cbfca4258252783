using System.Globalization;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Observation;

/// <summary>What is measured of one version: a row of metrics.csv.</summary>
/// <param name="Time">Of its commit.</param>
/// <param name="Participants">Clients of its round.</param>
/// <param name="Reports">Reports that its commit took in.</param>
/// <param name="TrainingLoss">Mean over the round's clients of their steps' losses, nats a token.</param>
/// <param name="BytesDown">Serialised assignments of the round, envelopes included.</param>
/// <param name="BytesUp">Serialised reports of the round, envelopes included.</param>
/// <param name="Seconds">From the round's start to its commit.</param>
public sealed record VersionMetrics(
    int Version, DateTimeOffset Time, int Participants, int Reports, double? TrainingLoss, ModelEvaluatedEntry? HeldOut,
    long BytesUp, long BytesDown, double Seconds);

/// <summary>
/// Puts together what the log says of versions and what messages say of their rounds. The log can be read again at any time; what only
/// messages say is read back from metrics.csv when a run resumes. Not safe to call from several threads.
/// </summary>
public sealed class RunMetrics
{
    private const string Header =
        "time,version,participants,reports,training_loss,held_out_loss,exact_match,rouge_l,bytes_up,bytes_down,seconds";

    private readonly Dictionary<int, Dictionary<(string Client, int Turn), (double? Loss, long Down, long Up)>> _rounds = [];
    private readonly Dictionary<int, (double? Loss, long Down, long Up)> _earlier = [];
    private readonly List<VersionMetrics> _rows = [];
    private FederationState _state = new();

    public IReadOnlyList<VersionMetrics> Rows => _rows;

    public FederationState State => _state;

    public void Apply(LogEntry entry)
    {
        var before = _state;
        _state = FederationFold.Apply(before, entry);
        switch (entry.Event)
        {
            case RoundCommittedEntry committed:
                _rows.Add(RowOf(committed, before.Round!, entry.Time));
                break;
            case ModelEvaluatedEntry { Version: > 0 } evaluated:
                _rows[evaluated.Version - 1] = _rows[evaluated.Version - 1] with { HeldOut = evaluated };
                break;
        }
    }

    public void Apply(LocalProgress progress)
    {
        var assignments = AssignmentsOf(progress.Assignment.Round);
        var known = assignments.GetValueOrDefault((progress.Assignment.Client, progress.Assignment.Turn));
        assignments[(progress.Assignment.Client, progress.Assignment.Turn)] = (progress.Loss ?? known.Loss, progress.AssignmentBytes,
        known.Up);
        Refresh(progress.Assignment.Round);
    }

    public void Apply(ReportAccepted accepted)
    {
        var assignments = AssignmentsOf(accepted.Assignment.Round);
        var (loss, down, _) = assignments.GetValueOrDefault((accepted.Assignment.Client, accepted.Assignment.Turn));
        assignments[(accepted.Assignment.Client, accepted.Assignment.Turn)] = (loss, down, accepted.ReportBytes);
        Refresh(accepted.Assignment.Round);
    }

    public IEnumerable<string> ToCsv()
    {
        yield return Header;
        foreach (var row in _rows)
            yield return string.Join(',',
                row.Time.ToString("O", CultureInfo.InvariantCulture), row.Version, row.Participants, row.Reports, Number(row.TrainingLoss),
                Number(row.HeldOut?.Loss), Number(row.HeldOut?.ExactMatch), Number(row.HeldOut?.RougeL), row.BytesUp, row.BytesDown,
                Number(row.Seconds));
    }

    /// <summary>Takes over what an interrupted run had measured; a row that is not whole is left out.</summary>
    public void TakeOver(IEnumerable<string> csv)
    {
        foreach (var fields in csv.Skip(1).Select(line => line.Split(',')).Where(fields => fields.Length == 11))
            if (int.TryParse(fields[1], out var version) && long.TryParse(fields[8], out var up) && long.TryParse(fields[9], out var down))
                _earlier[version] = (
                    double.TryParse(fields[4], NumberStyles.Float, CultureInfo.InvariantCulture, out var loss) ? loss : null, down, up);
    }

    private VersionMetrics RowOf(RoundCommittedEntry committed, OpenRound round, DateTimeOffset time)
    {
        var (loss, down, up) = Measured(committed.Round);
        return new VersionMetrics(
            committed.Version, time, round.Participants.Count, committed.Reports.Count, loss, null, up, down,
            (time - round.StartedAt).TotalSeconds);
    }

    /// <summary>Messages of a round may come after its commit was read. Round r makes version r.</summary>
    private void Refresh(int round)
    {
        if (round <= 0 || round > _rows.Count)
            return;
        var (loss, down, up) = Measured(round);
        _rows[round - 1] = _rows[round - 1] with { TrainingLoss = loss, BytesDown = down, BytesUp = up };
    }

    private (double? Loss, long Down, long Up) Measured(int round)
    {
        var measured = AssignmentsOf(round).Values;
        var (loss, down, up) = _earlier.GetValueOrDefault(round);
        return (
            measured.Average(item => item.Loss) ?? loss,
            Math.Max(down, measured.Sum(item => item.Down)),
            Math.Max(up, measured.Sum(item => item.Up)));
    }

    private Dictionary<(string Client, int Turn), (double? Loss, long Down, long Up)> AssignmentsOf(int round) =>
        _rounds.TryGetValue(round, out var assignments) ? assignments : _rounds[round] = [];

    private static string Number(double? value) => value?.ToString("G6", CultureInfo.InvariantCulture) ?? "";
}
