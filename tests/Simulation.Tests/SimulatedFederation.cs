using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;

namespace FedKSeed.Simulation.Tests;

/// <summary>
/// A federation in virtual time, on one thread, without broker or store: the product's own decisions, fold and round policy, moved by
/// messages that a seeded generator delays, doubles and reorders, and by services and clients that it kills. What the store guarantees (an
/// append or a held report happens once, on a condition) is one assignment here. The same seed gives the same run.
/// </summary>
internal sealed class SimulatedFederation
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private readonly FederationSettings _settings;
    private readonly Weather _weather;
    private readonly bool _keepsLog;
    private readonly Random _random;
    private readonly PriorityQueue<Action, (DateTimeOffset At, long Order)> _events = new();
    private readonly List<string> _log = [];
    private readonly Dictionary<AssignmentKey, ScalarsReportedEntry> _inHand = [];
    private readonly HashSet<AssignmentKey> _accepted = [];
    private readonly HashSet<AssignmentKey> _written = [];
    private readonly HashSet<AssignmentKey> _committed = [];
    private readonly string[] _clients;

    // What people did, as the log says it, kept apart from the fold.
    private readonly Dictionary<string, DateTimeOffset?> _barred = [];
    private readonly Random _whims;
    private bool _isPaused;

    private FederationState _book = new();
    private DateTimeOffset _now = Start;
    private DateTimeOffset _roundServiceBack = Start;
    private (RoundDecision? Decision, DateTimeOffset At) _published;
    private long _order;

    public SimulatedFederation(int seed, FederationSettings settings, Weather weather, bool keepsLog = true)
    {
        (_settings, _weather, _keepsLog, _random) = (settings, weather, keepsLog, new Random(seed));
        _whims = new Random(seed * 104_729);
        _clients = [.. Enumerable.Range(0, weather.Clients).Select(k => $"client-{k:000000}")];
    }

    public FederationState Book => _book;

    public IReadOnlyList<string> Log => _log;

    public long LogBytes { get; private set; }

    public TimeSpan Elapsed => _now - Start;

    public int Committed => _committed.Count;

    /// <summary>Accepted reports that a bar dropped.</summary>
    public int Dropped { get; private set; }

    /// <summary>Entries of what people did.</summary>
    public int Acts { get; private set; }

    /// <summary>Runs to the end of the federation.</summary>
    /// <param name="limit">Virtual time after which it must have ended.</param>
    public void Run(TimeSpan limit)
    {
        Append(FederationDecisions.Open(_book, _settings));
        At(TimeSpan.Zero, RoundService);
        if (_weather.Acts > 0)
            At(Tick, () => Operator(_weather.Acts));
        while (_book.Closed is null)
        {
            Require(_events.TryDequeue(out var next, out var when), "nothing is left to happen");
            _now = when.At;
            Require(Elapsed <= limit, $"it had not ended after {limit}: version {_book.Version} of {_settings.Rounds}");
            next!();
        }
        Require(_inHand.Count == 0, "accepted reports are still in hand");
        Require(_accepted.SetEquals(_written), "an accepted report is not in the log");
    }

    // ---------------------------------------------------------------- RoundService: a tick, level-triggered

    private void RoundService()
    {
        At(Tick, RoundService);
        if (_now < _roundServiceBack)
            return;
        if (Chance(_weather.RoundServiceCrash))
        {
            (_published, _roundServiceBack) = (default, _now + TimeSpan.FromSeconds(_random.Next(1, 20)));
            return;
        }
        var alive = _weather.Away == 0 ? _clients : [.. _clients.Where(_ => !Chance(_weather.Away))];
        var decision = RoundPolicy.Decide(_book, _inHand.Keys.ToHashSet(), alive, _now);
        // As the clock does: what has no effect yet is published again after ten seconds.
        if (decision is RoundDecision.Wait || (Same(decision, _published.Decision) && _now < _published.At + TimeSpan.FromSeconds(10)))
            return;
        _published = (decision, _now);
        Send(() => SeedServiceTakes(decision));
    }

    private static bool Same(RoundDecision one, RoundDecision? other) => (one, other) switch
    {
        (RoundDecision.Start a, RoundDecision.Start b) => a.Round == b.Round,
        (RoundDecision.Close a, RoundDecision.Close b) => a.Round == b.Round,
        (RoundDecision.Join a, RoundDecision.Join b) => a.Round == b.Round && a.Clients.SequenceEqual(b.Clients),
        (RoundDecision.End a, RoundDecision.End b) => a == b,
        _ => false,
    };

    // ---------------------------------------------------------------- people, who see the state as it is

    /// <summary>Acts by whim, and after the last such act until nothing that it did is left to keep the federation from its end.</summary>
    private void Operator(int acts)
    {
        At(TimeSpan.FromSeconds(_whims.Next(1, 20)), () => Operator(acts - 1));
        if (acts == 0 && _weather.IsStopped)
            Send(() => Append(FederationDecisions.Stop(_book, "operator", _inHand.Values, _now)));
        else if (acts > 0)
            Send(Whim());
        else
        {
            Send(() => Append(FederationDecisions.Resume(_book, "operator")));
            foreach (var client in _barred.Keys)
                Send(() => Append(FederationDecisions.Readmit(_book, client, "the end", "operator", _now)));
        }
    }

    private Action Whim()
    {
        var client = _clients[_whims.Next(_clients.Length)];
        var isForGood = _whims.Next(2) == 0;
        var length = TimeSpan.FromSeconds(_whims.Next(1, 90));
        return _whims.Next(5) switch
        {
            0 => () => Append(FederationDecisions.Pause(_book, "a whim", "operator")),
            1 => () => Append(FederationDecisions.Resume(_book, "operator")),
            2 => () => Append(FederationDecisions.Readmit(_book, client, "a whim", "operator", _now)),
            _ => () => Append(FederationDecisions.Bar(_book, client, "a whim", "operator", isForGood ? null : _now + length, _now)),
        };
    }

    /// <summary>What must hold of an entry after what people did before it.</summary>
    private void Obey(LogEvent happened)
    {
        switch (happened)
        {
            case FederationPausedEntry:
                (_isPaused, Acts) = (true, Acts + 1);
                break;
            case FederationResumedEntry:
                (_isPaused, Acts) = (false, Acts + 1);
                break;
            case ClientBarredEntry barred:
                (_barred[barred.Client], Acts) = (barred.Until, Acts + 1);
                break;
            case ClientReadmittedEntry readmitted:
                Require(_barred.Remove(readmitted.Client), $"{readmitted.Client} was not barred");
                Acts++;
                break;
            case RoundStartedEntry started:
                Require(!_isPaused, $"round {started.Round} started while the federation was paused");
                Require(!started.Participants.Any(IsBarred), $"a barred client takes part in round {started.Round}");
                break;
            case SeedsAssignedEntry assigned:
                Require(!_isPaused && !IsBarred(assigned.Client), $"{assigned.Key} was assigned to a barred client or in a pause");
                break;
            case ScalarsReportedEntry report:
                Require(!IsBarred(report.Client), $"{report.Key} is of a barred client");
                break;
            case RoundCommittedEntry commit:
                Require(!commit.Reports.Any(report => IsBarred(report.Client)), $"commit {commit.Version} counts a barred client");
                break;
        }
    }

    private bool IsBarred(string client) => _barred.TryGetValue(client, out var until) && !(_now >= until);

    // ---------------------------------------------------------------- SeedService: read, decide, append, publish, acknowledge

    private void SeedServiceTakes(RoundDecision decision)
    {
        switch (decision)
        {
            case RoundDecision.Start start:
                Append(FederationDecisions.StartRound(_book, start.Round, start.Participants, _now));
                SendAssignments(start.Round, start.Participants);
                break;
            case RoundDecision.Join join:
                Append(FederationDecisions.JoinRound(_book, join.Round, join.Clients, _inHand.Keys.ToHashSet(), _now));
                SendAssignments(join.Round, join.Clients);
                break;
            case RoundDecision.Close close:
                Append(FederationDecisions.Commit(_book, close.Round, close.Reason, _inHand.Values, _now));
                break;
            case RoundDecision.End end:
                Append(FederationDecisions.Close(_book, end.Reason, end.Version, _inHand.Values, _now));
                break;
        }
        if (Chance(_weather.SeedServiceCrash))
            Restart(() => SeedServiceTakes(decision));
    }

    private void SendAssignments(int round, IReadOnlyList<string> clients)
    {
        if (_book.Round?.Number != round)
            return;
        foreach (var client in clients)
            for (var key = new AssignmentKey(round, client); _book.Assignments.TryGetValue(key, out var assignment); key = key.Next)
                if (!_inHand.ContainsKey(key))
                    Send(() => ClientTakes(assignment));
    }

    private void SeedServiceTakes(ClientReport report)
    {
        if (FederationDecisions.Judge(_book, report, _now) is ReportVerdict.Accept accepted && _inHand.TryAdd(report.Key, accepted.Entry))
            Require(_accepted.Add(report.Key), $"{report.Key} was accepted twice");
        if (Chance(_weather.SeedServiceCrash))
            Restart(() => SeedServiceTakes(report));
    }

    /// <summary>The message was not acknowledged: it comes again, to a process that knows what the log says and nothing else.</summary>
    private void Restart(Action redelivered)
    {
        if (_keepsLog)
        {
            var refolded = FoldOf(_log);
            Require(refolded.Accumulators.Span.SequenceEqual(_book.Accumulators.Span), "the log folds to another model than the live one");
        }
        At(TimeSpan.FromSeconds(_random.Next(1, 30)), redelivered);
    }

    private void Append(IReadOnlyList<LogEvent> events)
    {
        if (events.Count == 0)
            return;
        var before = _book.Version;
        var (lines, entries) = EventLog.Write(_book.Head, _now, events);
        _book = FederationFold.Fold(_book, entries);
        LogBytes += lines.Sum(line => line.Length + 1L);
        if (_keepsLog)
            _log.AddRange(lines);
        foreach (var happened in events)
            Obey(happened);
        foreach (var key in FederationDecisions.DroppedBy(events, _inHand.Keys))
        {
            // It never was, and may come again when the bar is over.
            Require(_inHand.Remove(key) && _accepted.Remove(key), $"{key} was dropped without being in hand");
            Dropped++;
        }
        foreach (var report in events.OfType<ScalarsReportedEntry>())
        {
            Require(_inHand.Remove(report.Key), $"{report.Key} was written without being in hand");
            Require(_written.Add(report.Key), $"{report.Key} was written twice");
        }
        foreach (var commit in events.OfType<RoundCommittedEntry>())
        {
            foreach (var report in commit.Reports)
            {
                Require(_committed.Add(report.Key), $"{report.Key} was committed twice");
                Require(before - (report.Round - 1) <= _settings.StalenessBound, $"{report.Key} was too stale to be committed");
            }
        }
    }

    // ---------------------------------------------------------------- clients

    private void ClientTakes(Assignment assignment)
    {
        if (Chance(_weather.Silent))
            return;
        var work = TimeSpan.FromSeconds(Math.Min(3600, _weather.MedianWork * Math.Exp(_weather.WorkSpread * Normal())));
        At(work, () => Send(() => SeedServiceTakes(ReportOn(assignment))));
    }

    private ClientReport ReportOn(Assignment assignment)
    {
        // From the assignment alone, as a worker that takes it over would compute it.
        var scalars = new float[_settings.StepsPerRound];
        for (var step = 0; step < scalars.Length; step++)
            scalars[step] = ((assignment.Key.Round * 31 + assignment.Key.Client[^1] * 17 + step * 7) % 200 - 100) / 50f;
        var loss = _settings.ClientRates.TakesLoss ? 6f / (assignment.Key.Round + assignment.Key.Client[^1] % 5) : default(float?);
        return new ClientReport(assignment.Key, assignment.BaseVersion, 1 + assignment.Key.Client[^1] % 7, scalars, [], loss);
    }

    // ---------------------------------------------------------------- time and chance

    private void Send(Action delivery)
    {
        At(Latency(), delivery);
        if (Chance(_weather.Duplicated))
            At(Latency() + TimeSpan.FromSeconds(_random.Next(120)), delivery);
    }

    private TimeSpan Latency() => TimeSpan.FromSeconds(Chance(_weather.Delayed) ? _random.NextDouble() * 60 : 0.01 * _random.NextDouble());

    private void At(TimeSpan delay, Action action) => _events.Enqueue(action, (_now + delay, _order++));

    private bool Chance(double probability) => probability > 0 && _random.NextDouble() < probability;

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());

    internal static FederationState FoldOf(IEnumerable<string> log) =>
        log.Aggregate(new FederationState(), (state, line) => FederationFold.Apply(state, EventLog.Read(state.Head, line)));

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
            throw new InvalidOperationException(otherwise);
    }
}
