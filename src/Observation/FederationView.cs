using System.Collections.Immutable;
using FedKSeed.Contracts;
using FedKSeed.Federation.Log;

namespace FedKSeed.Observation;

public enum ClientActivity
{
    Idle,
    Training,
    Reported,
    Rejected,
    Gone,
}

/// <param name="Heard">When a message of it or about it came last.</param>
public sealed record ClientView(
    string Name, ClientActivity Activity, int Step, int Steps, double? Loss, long BytesUp, long BytesDown, DateTimeOffset Heard)
{
    /// <summary>The round that the fields above are of.</summary>
    public int Round { get; init; }

    /// <summary>Which of its assignments of that round.</summary>
    public int Turn { get; init; }
}

/// <summary>A point of a curve: something measured of a version.</summary>
public readonly record struct VersionPoint(int Version, double Value);

/// <summary>
/// What can be seen of a federation from its messages alone: a pure fold of them, whatever their order and however often they come, so it
/// can be shown from any process on the same bus. Immutable.
/// </summary>
public sealed record FederationView
{
    /// <summary>Three heartbeats.</summary>
    private static readonly TimeSpan ClientTimeout = TimeSpan.FromSeconds(15);

    /// <summary>Rounds that the estimate of the end looks back on.</summary>
    private const int RecentRounds = 10;

    /// <summary>Rounds that the federation is to have.</summary>
    public required int Rounds { get; init; }

    public int Round { get; init; }

    public int Version { get; init; }

    /// <summary>Whether what clients do between two entries of the log is heard of: steps, losses, bytes.</summary>
    public bool IsMeasured { get; init; } = true;

    public ImmutableHashSet<string> Participants { get; init; } = [];

    /// <summary>Assignments of the open round, and of one not heard of yet, whose report was accepted.</summary>
    private ImmutableHashSet<AssignmentKey> Reports { get; init; } = [];

    /// <summary>Assignments of the open round, as far as they were heard of: in a continuous federation a client may get several.</summary>
    public int Assigned =>
        Participants.Sum(name => Clients.TryGetValue(name, out var client) && client.Round == Round ? client.Turn + 1 : 1);

    /// <summary>Accepted reports on assignments of the open round.</summary>
    public int Reported => Reports.Count(report => report.Round == Round);

    public ImmutableSortedDictionary<string, ClientView> Clients { get; init; } =
        ImmutableSortedDictionary<string, ClientView>.Empty.WithComparers(StringComparer.Ordinal);

    public ImmutableList<VersionPoint> HeldOutLoss { get; init; } = [];

    public ImmutableList<VersionPoint> ExactMatch { get; init; } = [];

    /// <summary>Mean of the clients' losses in the round that made a version.</summary>
    public ImmutableList<VersionPoint> TrainingLoss { get; init; } = [];

    public long BytesUp => Clients.Values.Sum(client => client.BytesUp);

    public long BytesDown => Clients.Values.Sum(client => client.BytesDown);

    /// <summary>When the latest versions were committed, the start of the first round seen before them.</summary>
    public ImmutableList<DateTimeOffset> Commits { get; init; } = [];

    /// <summary>Why the federation ended, once it is closed.</summary>
    public string? Closed { get; init; }

    /// <summary>What a run shows that goes on: what its log and its measurements say of it so far.</summary>
    public static FederationView Of(RunMetrics metrics, int rounds, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        var state = metrics.State;
        VersionPoint? Point(int version, double? value) => value is { } known ? new VersionPoint(version, known) : null;
        var evaluated = Enumerable.Range(0, state.Version + 1).Select(state.EvaluationOf).OfType<ModelEvaluatedEntry>().ToArray();
        return new FederationView
        {
            Rounds = rounds,
            Version = state.Version,
            HeldOutLoss = [.. evaluated.Select(entry => Point(entry.Version, entry.Loss)).OfType<VersionPoint>()],
            ExactMatch = [.. evaluated.Select(entry => new VersionPoint(entry.Version, entry.ExactMatch))],
            TrainingLoss =
            [
                .. metrics.Rows.Where(row => row.IsWhole).Select(row => Point(row.Version, row.TrainingLoss)).OfType<VersionPoint>(),
            ],
            Clients = ImmutableSortedDictionary.CreateRange(
                StringComparer.Ordinal,
                metrics.Traffic().Select(moved => KeyValuePair.Create(
                    moved.Client, Unknown(moved.Client, now) with { BytesUp = moved.Up, BytesDown = moved.Down }))),
        };
    }

    public FederationView After(object message, DateTimeOffset now) => message switch
    {
        ClientAnnounced announced => With(announced.Client, now, client => client),
        RoundStarted started => Start(started, now),
        LocalProgress progress => With(progress.Assignment.Client, now, client => Train(client, progress)),
        ReportAccepted accepted => Accept(accepted, now),
        ReportRejected rejected => With(rejected.Assignment.Client, now, client =>
            client.Round > rejected.Assignment.Round ?
                client :
                client with { Activity = ClientActivity.Rejected, Round = rejected.Assignment.Round }),
        RoundCommitted committed => Commit(committed, now),
        ModelEvaluated evaluated => Evaluate(evaluated),
        FederationClosed closed => this with { Closed = closed.Reason },
        _ => this,
    };

    /// <summary>What a client does, or that it was not heard of for long.</summary>
    public static ClientActivity ActivityOf(ClientView client, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(client);
        return now - client.Heard > ClientTimeout ? ClientActivity.Gone : client.Activity;
    }

    /// <summary>Steps done of those that the open round's participants have to do, 0 to 1.</summary>
    public double RoundProgress
    {
        get
        {
            var working = Participants.Select(name => Clients.GetValueOrDefault(name)).ToArray();
            return working.Length == 0
                ? 0
                : working.Average(client => client is null || client.Round != Round || client.Steps == 0 ? 0.0
                    : client.Activity == ClientActivity.Reported ? 1.0 : (double)client.Step / client.Steps);
        }
    }

    /// <summary>Time until the last round's commit, by the pace of the latest ones; null before the first.</summary>
    public TimeSpan? Remaining(DateTimeOffset now)
    {
        if (Commits.Count < 2)
            return null;
        var perRound = (Commits[^1] - Commits[0]) / (Commits.Count - 1);
        var remaining = perRound * (Rounds - Version) - (now - Commits[^1]);
        return remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero;
    }

    private FederationView Start(RoundStarted started, DateTimeOffset now)
    {
        if (started.Round < Round)
            return this;
        // A round that is announced again assigns again, or lets others join.
        var joining = started.Round == Round ? [.. started.Participants.Except(Participants)] : started.Participants;
        var clients = Clients;
        foreach (var name in joining)
            clients = clients.SetItem(name, clients.GetValueOrDefault(name, Unknown(name, now)) with
            {
                Activity = ClientActivity.Idle,
                Step = 0,
                Steps = 0,
                Round = started.Round,
                Turn = 0,
            });
        return this with
        {
            Round = started.Round,
            Participants = started.Round == Round ? [.. Participants, .. joining] : [.. joining],
            Clients = clients,
            Reports = [.. Reports.Where(report => report.Round >= started.Round)],
            Commits = Commits.IsEmpty ? [now] : Commits,
        };
    }

    private static ClientView Train(ClientView client, LocalProgress progress)
    {
        var order = (progress.Assignment.Round, progress.Assignment.Turn).CompareTo((client.Round, client.Turn));
        if (order < 0 || (order == 0 && progress.Step < client.Step))
            return client;
        // The first message of an assignment counts its bytes.
        var isNew = client.Steps == 0 || order > 0;
        return client with
        {
            Activity = client.Activity == ClientActivity.Reported && !isNew ? ClientActivity.Reported
                // It waits for a worker until its first step is done.
                : progress.Step == 0 ? ClientActivity.Idle : ClientActivity.Training,
            Step = progress.Step,
            Steps = progress.Steps,
            Loss = progress.Loss ?? client.Loss,
            Round = progress.Assignment.Round,
            Turn = progress.Assignment.Turn,
            BytesDown = client.BytesDown + (isNew ? progress.AssignmentBytes : 0),
        };
    }

    private FederationView Accept(ReportAccepted accepted, DateTimeOffset now)
    {
        var key = new AssignmentKey(accepted.Assignment.Round, accepted.Assignment.Client, accepted.Assignment.Turn);
        var view = key.Round < Round ? this : this with { Reports = Reports.Add(key) };
        return view.With(accepted.Assignment.Client, now, client => Accept(client, key, accepted.ReportBytes, Reports.Contains(key)));
    }

    private static ClientView Accept(ClientView client, AssignmentKey key, long bytes, bool isKnown)
    {
        var order = (key.Round, key.Turn).CompareTo((client.Round, client.Turn));
        if (isKnown || (order == 0 && client.Activity == ClientActivity.Reported))
            return client;
        var counted = client with { BytesUp = client.BytesUp + bytes };
        return order < 0 ? counted : counted with { Activity = ClientActivity.Reported, Round = key.Round, Turn = key.Turn };
    }

    private FederationView Commit(RoundCommitted committed, DateTimeOffset now)
    {
        if (committed.Version <= Version)
            return this;
        var losses = Clients.Values.Where(client => client.Round == committed.Round && client.Loss is not null).ToArray();
        var commits = Commits.Add(now);
        return this with
        {
            Version = committed.Version,
            TrainingLoss = losses.Length == 0
                ? TrainingLoss
                : TrainingLoss.Add(new VersionPoint(committed.Version, losses.Average(client => client.Loss!.Value))),
            Commits = commits.Count > RecentRounds + 1 ? commits.RemoveAt(0) : commits,
        };
    }

    private FederationView Evaluate(ModelEvaluated evaluated)
    {
        if (ExactMatch.Exists(point => point.Version == evaluated.Version))
            return this;
        return this with
        {
            HeldOutLoss = evaluated.Loss is { } loss ? HeldOutLoss.Add(new VersionPoint(evaluated.Version, loss)) : HeldOutLoss,
            ExactMatch = ExactMatch.Add(new VersionPoint(evaluated.Version, evaluated.ExactMatch)),
        };
    }

    private FederationView With(string name, DateTimeOffset now, Func<ClientView, ClientView> change)
    {
        var client = Clients.GetValueOrDefault(name, Unknown(name, now));
        return this with { Clients = Clients.SetItem(name, change(client) with { Heard = now }) };
    }

    private static ClientView Unknown(string name, DateTimeOffset now) => new(name, ClientActivity.Idle, 0, 0, null, 0, 0, now);
}
