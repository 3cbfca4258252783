using FedKSeed.Contracts;
using FedKSeed.Federation.Log;

namespace FedKSeed.Federation.Tests;

/// <summary>Federations for tests, run through the same decisions and fold as the real ones.</summary>
internal static class Federations
{
    public static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static FederationSettings Settings { get; } = new()
    {
        Name = "test",
        BaseModelDigest = new string('a', 64),
        Directions = new() { SeedCount = 64 },
        StepsPerRound = 5,
        Rounds = 4,
        StalenessBound = 2,
        EvaluateEvery = 0,
        RoundDeadline = TimeSpan.FromSeconds(10),
    };

    public static FederationState Open(FederationSettings? settings = null) =>
        new FederationState().Then(state => FederationDecisions.Open(state, settings ?? Settings));

    /// <summary>Decides, writes the events as lines, reads the lines back and folds them.</summary>
    public static FederationState Then(
        this FederationState state, Func<FederationState, IReadOnlyList<LogEvent>> decide, List<string>? log = null,
        DateTimeOffset? at = null)
    {
        var (lines, _) = EventLog.Write(state.Head, at ?? Start, decide(state));
        log?.AddRange(lines);
        return Fold(lines, state);
    }

    public static FederationState Fold(IEnumerable<string> lines, FederationState? from = null) =>
        lines.Aggregate(from ?? new FederationState(), (state, line) => FederationFold.Apply(state, EventLog.Read(state.Head, line)));

    public static ClientReport ReportOf(FederationState state, int round, string client, float scalar = 0.5f) =>
        ReportOn(state.Assignments[new AssignmentKey(round, client)], scalar);

    public static ClientReport ReportOn(Assignment assignment, float scalar = 0.5f) =>
        new(assignment.Key, assignment.BaseVersion, 10, Enumerable.Repeat(scalar, assignment.Seeds.Length).ToArray(), []);

    public static ScalarsReportedEntry Accepted(FederationState state, ClientReport report) =>
        Assert.IsType<ReportVerdict.Accept>(FederationDecisions.Judge(state, report, Start)).Entry;

    /// <summary>The log of a federation of some rounds in which every client reports.</summary>
    public static List<string> Run(FederationSettings settings, params string[] clients)
    {
        List<string> log = [];
        var state = new FederationState().Then(state => FederationDecisions.Open(state, settings), log);
        for (var round = 1; round <= settings.Rounds; round++)
        {
            state = state.Then(state => FederationDecisions.StartRound(state, round, clients, Start), log);
            var inHand = clients
                .Select(
                    (client, k) => Accepted(state, ReportOf(state, round, client, 0.25f * (k + 1) * (round % 2 == 0 ? 1 : -1)) with
                    {
                        MeanLoss = settings.ClientRates.TakesLoss ? 3f / (round + k * k) : null,
                    })).ToArray();
            state = state.Then(state => FederationDecisions.Commit(state, round, RoundEnd.Quorum, inHand, Start), log);
        }
        state.Then(state => FederationDecisions.Close(state, FederationEnd.Completed, state.Version, [], Start), log);
        return log;
    }
}
