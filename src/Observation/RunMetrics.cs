using System.Globalization;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Observation;

/// <summary>What is measured of one version: a row of metrics.csv.</summary>
/// <param name="Time">Of its commit; of the federation's opening for version 0.</param>
/// <param name="Participants">Clients of its round.</param>
/// <param name="Reports">Reports that its commit took in.</param>
/// <param name="TrainingLoss">Mean over the round's clients of their steps' losses, nats a token.</param>
/// <param name="BytesDown">Serialised assignments of the round, envelopes included.</param>
/// <param name="BytesUp">Serialised reports of the round, envelopes included.</param>
/// <param name="Seconds">From the round's start to its commit.</param>
public sealed record VersionMetrics(
    int Version, DateTimeOffset Time, int Participants, int Reports, double? TrainingLoss, ModelEvaluatedEntry? HeldOut,
    long BytesUp, long BytesDown, double Seconds)
{
    /// <summary>
    /// Whether each report on the round's own assignments was measured. Of a round in which a process was killed a part may not be, and
    /// its sums and means are then of the others only.
    /// </summary>
    public bool IsWhole { get; init; } = true;
}

/// <summary>
/// Puts together what the log says of versions and what messages say of their rounds. The log can be read again at any time; what only
/// messages say is read back from metrics.csv and clients.csv when a run resumes. Not safe to call from several threads.
/// </summary>
public sealed class RunMetrics
{
    private const string Header =
        "time,version,participants,reports,training_loss,held_out_loss,exact_match,rouge_l,bytes_up,bytes_down,seconds";

    private readonly Dictionary<int, Dictionary<(string Client, int Turn), (double? Loss, long Down, long Up)>> _rounds = [];
    private readonly Dictionary<int, (double? Loss, long Down, long Up)> _earlier = [];
    private readonly HashSet<AssignmentKey> _changed = [];
    private readonly List<VersionMetrics> _rows = [];

    // Reports of each version's own round that its commit took in.
    private readonly List<int> _own = [];
    private VersionMetrics? _base;
    private FederationState _state = new();

    /// <summary>First line of clients.csv.</summary>
    public static string ClientHeader => "round,client,turn,loss,bytes_up,bytes_down";

    /// <summary>Of the versions from 1 on.</summary>
    public IReadOnlyList<VersionMetrics> Rows => _rows;

    public FederationState State => _state;

    public void Apply(LogEntry entry)
    {
        var before = _state;
        _state = FederationFold.Apply(before, entry);
        switch (entry.Event)
        {
            case FederationOpenedEntry:
                _base = new VersionMetrics(0, entry.Time, 0, 0, null, null, 0, 0, 0);
                break;
            case RoundCommittedEntry committed:
                _own.Add(committed.Reports.Count(report => report.Round == committed.Round));
                _rows.Add(RowOf(committed, before.Round!, entry.Time));
                break;
            case ModelEvaluatedEntry { Version: 0 } evaluated:
                _base = _base! with { HeldOut = evaluated };
                break;
            case ModelEvaluatedEntry evaluated:
                _rows[evaluated.Version - 1] = _rows[evaluated.Version - 1] with { HeldOut = evaluated };
                break;
        }
    }

    public void Apply(LocalProgress progress) => Change(
        progress.Assignment, known => (progress.Loss ?? known.Loss, progress.AssignmentBytes, known.Up));

    public void Apply(ReportAccepted accepted) => Change(
        accepted.Assignment, known => (known.Loss, known.Down, accepted.ReportBytes));

    /// <summary>Mean of a client's losses in a round, nats a token; null where none was measured.</summary>
    public double? LossOf(int round, string client) => _rounds.TryGetValue(round, out var assignments)
        ? assignments.Where(item => item.Key.Client == client).Average(item => item.Value.Loss)
        : null;

    /// <summary>What each client moved that was heard of.</summary>
    public IEnumerable<(string Client, long Up, long Down)> Traffic() => _rounds.Values.SelectMany(assignments => assignments)
        .GroupBy(item => item.Key.Client, item => item.Value)
        .Select(client => (client.Key, client.Sum(item => item.Up), client.Sum(item => item.Down)));

    public IEnumerable<string> ToCsv()
    {
        yield return Header;
        foreach (var row in _base is null ? _rows : _rows.Prepend(_base))
            yield return string.Join(',',
                row.Time.ToString("O", CultureInfo.InvariantCulture), row.Version, row.Participants, row.Reports, Number(row.TrainingLoss),
                Number(row.HeldOut?.Loss), Number(row.HeldOut?.ExactMatch), Number(row.HeldOut?.RougeL), row.BytesUp, row.BytesDown,
                Number(row.Seconds));
    }

    /// <summary>
    /// Lines of clients.csv for reported assignments of which something was measured since this was called last. A later line of an
    /// assignment takes the place of an earlier one.
    /// </summary>
    public IReadOnlyList<string> TakeClientRows()
    {
        List<string> rows = [];
        foreach (var (round, client, turn) in _changed.Order())
        {
            var (loss, down, up) = _rounds[round][(client, turn)];
            if (up == 0)
                continue;
            rows.Add(string.Join(',', round, client, turn, Number(loss), up, down));
            _changed.Remove(new(round, client, turn));
        }
        return rows;
    }

    /// <summary>Takes over what an interrupted run had measured; a row that is not whole is left out.</summary>
    public void TakeOver(IEnumerable<string> csv, IEnumerable<string> clients)
    {
        foreach (var fields in csv.Skip(1).Select(line => line.Split(',')).Where(fields => fields.Length == 11))
            if (int.TryParse(fields[1], out var version) && long.TryParse(fields[8], out var up) && long.TryParse(fields[9], out var down))
                _earlier[version] = (Loss(fields[4]), down, up);
        foreach (var fields in clients.Skip(1).Select(line => line.Split(',')).Where(fields => fields.Length == 6))
            if (int.TryParse(fields[0], out var round) && int.TryParse(fields[2], out var turn)
                && long.TryParse(fields[4], out var up) && long.TryParse(fields[5], out var down))
                AssignmentsOf(round)[(fields[1], turn)] = (Loss(fields[3]), down, up);
    }

    private static double? Loss(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var loss) ? loss : null;

    private void Change(AssignmentKey key, Func<(double? Loss, long Down, long Up), (double? Loss, long Down, long Up)> change)
    {
        var assignments = AssignmentsOf(key.Round);
        assignments[(key.Client, key.Turn)] = change(assignments.GetValueOrDefault((key.Client, key.Turn)));
        _changed.Add(key);
        Refresh(key.Round);
    }

    private VersionMetrics RowOf(RoundCommittedEntry committed, OpenRound round, DateTimeOffset time)
    {
        var (loss, down, up, isWhole) = Measured(committed.Round);
        return new VersionMetrics(
            committed.Version, time, round.Participants.Count, committed.Reports.Count, loss, null, up, down,
            (time - round.StartedAt).TotalSeconds)
        { IsWhole = isWhole };
    }

    /// <summary>Messages of a round may come after its commit was read. Round r makes version r.</summary>
    private void Refresh(int round)
    {
        if (round <= 0 || round > _rows.Count)
            return;
        var (loss, down, up, isWhole) = Measured(round);
        _rows[round - 1] = _rows[round - 1] with { TrainingLoss = loss, BytesDown = down, BytesUp = up, IsWhole = isWhole };
    }

    private (double? Loss, long Down, long Up, bool IsWhole) Measured(int round)
    {
        var measured = AssignmentsOf(round).Values;
        var (loss, down, up) = _earlier.GetValueOrDefault(round);
        var isWhole = measured.Count(item => item.Up > 0) >= _own[round - 1];
        // What was written of a round that nothing is heard of any more counts as all there was: runs of before had no clients.csv.
        isWhole |= measured.Count == 0 && up > 0;
        return (
            measured.Average(item => item.Loss) ?? loss,
            Math.Max(down, measured.Sum(item => item.Down)),
            Math.Max(up, measured.Sum(item => item.Up)), isWhole);
    }

    private Dictionary<(string Client, int Turn), (double? Loss, long Down, long Up)> AssignmentsOf(int round) =>
        _rounds.TryGetValue(round, out var assignments) ? assignments : _rounds[round] = [];

    private static string Number(double? value) => value?.ToString("G6", CultureInfo.InvariantCulture) ?? "";
}
