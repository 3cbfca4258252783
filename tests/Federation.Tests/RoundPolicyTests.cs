using CsCheck;
using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using static FedKSeed.Federation.Tests.Federations;

namespace FedKSeed.Federation.Tests;

public class RoundPolicyTests
{
    private static readonly HashSet<AssignmentKey> Nothing = [];

    [Fact]
    public void A_round_waits_for_enough_clients()
    {
        var book = Open(Settings with { MinimumClients = 2 });
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Nothing, ["a"], Start));
        var start = Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, ["b", "a"], Start));
        Assert.Equal(1, start.Round);
        Assert.Equal(["a", "b"], start.Participants);
    }

    [Fact]
    public void A_round_closes_at_its_quorum()
    {
        var book = Open(Settings with { Quorum = 0.5 }).Then(state => FederationDecisions.StartRound(state, 1, ["a", "b", "c"], Start));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Keys("a"), ["a"], Start));
        var close = Assert.IsType<RoundDecision.Close>(RoundPolicy.Decide(book, Keys("a", "c"), ["a"], Start));
        Assert.Equal(RoundEnd.Quorum, close.Reason);
    }

    [Fact]
    public void A_round_closes_at_its_deadline_with_what_is_in_hand()
    {
        var book = Open().Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Keys("a"), [], Start + TimeSpan.FromSeconds(9.9)));
        var close = Assert.IsType<RoundDecision.Close>(RoundPolicy.Decide(book, Nothing, [], Start + TimeSpan.FromSeconds(10)));
        Assert.Equal(RoundEnd.Deadline, close.Reason);
    }

    [Fact]
    public void A_straggler_gets_no_second_assignment_until_its_first_counts_as_lost()
    {
        var book = Open().Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start));
        book = book.Then(
            state => FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [Accepted(state, ReportOf(state, 1, "a"))], Start));
        var soon = Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, ["a", "b"], Start + TimeSpan.FromSeconds(12)));
        Assert.Equal(["a"], soon.Participants);
        var later = Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, ["a", "b"], Start + TimeSpan.FromSeconds(20)));
        Assert.Equal(["a", "b"], later.Participants);
    }

    [Fact]
    public void A_synchronous_federation_waits_for_the_evaluation_of_each_version_but_not_for_ever()
    {
        var book = Open(Settings with { Synchronous = true, EvaluateEvery = 1 });
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Nothing, ["a"], Start));
        Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, ["a"], Start + RoundPolicy.EvaluationPatience));
        var evaluated = book.Then(state => FederationDecisions.Evaluate(state, new ModelEvaluatedEntry(0, 10, 5, 0, 0)));
        Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(evaluated, Nothing, ["a"], Start));
    }

    [Fact]
    public void After_the_last_round_the_federation_ends()
    {
        var log = Run(Settings, "a", "b");
        var book = Fold(log[..^1]);
        var end = Assert.IsType<RoundDecision.End>(RoundPolicy.Decide(book, Nothing, ["a"], Start));
        Assert.Equal((FederationEnd.Completed, Settings.Rounds), (end.Reason, end.Version));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(15.1)]
    public void A_federation_that_diverged_ends_and_keeps_its_best_version(double? loss)
    {
        var book = Open(Settings with { EvaluateEvery = 1 }).Then(state => FederationDecisions.Evaluate(state, new(0, 10, 5, 0, 0)));
        foreach (var (round, roundLoss) in new (int, double?)[] { (1, 4), (2, loss) })
        {
            book = book.Then(state => FederationDecisions.StartRound(state, round, ["a"], Start));
            book = book.Then(state => FederationDecisions.Commit(state, round, RoundEnd.Quorum, [], Start));
            book = book.Then(state => FederationDecisions.Evaluate(state, new ModelEvaluatedEntry(round, 10, roundLoss, 0, 0)));
        }
        var end = Assert.IsType<RoundDecision.End>(RoundPolicy.Decide(book, Nothing, ["a"], Start));
        Assert.Equal((FederationEnd.Diverged, 1), (end.Reason, end.Version));
    }

    [Fact]
    public void A_round_without_one_finite_loss_is_divergence()
    {
        var book = Open().Then(state => FederationDecisions.StartRound(state, 1, ["a"], Start));
        var report = ReportOf(book, 1, "a") with { Scalars = Array.Empty<float>(), SkippedSteps = [0, 1, 2, 3, 4] };
        book = book.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Quorum, [Accepted(state, report)], Start));
        Assert.Equal(FederationEnd.Diverged, Assert.IsType<RoundDecision.End>(RoundPolicy.Decide(book, Nothing, ["a"], Start)).Reason);
    }

    [Fact]
    public void A_round_invites_the_share_asked_for_and_another_round_invites_others()
    {
        string[] clients = [.. Enumerable.Range(0, 20).Select(k => $"client-{k:00}")];
        var book = Open(Settings with { Participation = 0.25 });
        var first = Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, clients, Start)).Participants;
        Assert.Equal(5, first.Count);
        book = book.Then(state => FederationDecisions.StartRound(state, 1, first, Start));
        book = book.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [], Start));
        var later = Start + TimeSpan.FromMinutes(5);
        Assert.NotEqual(first, Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, clients, later)).Participants);
    }

    [Fact]
    public void Over_selection_invites_more_clients_than_the_quorum_is_of()
    {
        string[] clients = [.. Enumerable.Range(0, 20).Select(k => $"client-{k:00}")];
        var settings = Settings with { ParticipantsPerRound = 10, OverSelection = 1.3 };
        var start = Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(Open(settings), Nothing, clients, Start));
        Assert.Equal(13, start.Participants.Count);
        Assert.Equal(10, RoundPolicy.QuorumOf(settings, start.Participants.Count));
    }

    [Fact]
    public void A_round_without_its_minimum_of_reports_waits_for_a_second_deadline_and_no_longer()
    {
        var book = Open(Settings with { MinimumReports = 2 })
            .Then(state => FederationDecisions.StartRound(state, 1, ["a", "b", "c"], Start));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Keys("a"), [], Start + TimeSpan.FromSeconds(10)));
        Assert.IsType<RoundDecision.Close>(RoundPolicy.Decide(book, Keys("a", "b"), [], Start + TimeSpan.FromSeconds(10)));
        Assert.IsType<RoundDecision.Close>(RoundPolicy.Decide(book, Keys("a"), [], Start + TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public void A_continuous_federation_commits_after_so_many_reports_of_any_round_and_lets_free_clients_join()
    {
        var settings = Settings with { CommitEvery = 2 };
        var book = Open(settings).Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start));
        var join = Assert.IsType<RoundDecision.Join>(RoundPolicy.Decide(book, Nothing, ["a", "b", "c"], Start));
        Assert.Equal(["c"], join.Clients);
        book = book.Then(state => FederationDecisions.JoinRound(state, 1, join.Clients, Nothing, Start));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Nothing, ["a", "b", "c"], Start));
        Assert.IsType<RoundDecision.Close>(RoundPolicy.Decide(book, Keys("a", "c"), ["a", "b", "c"], Start));

        var taken = new[] { "a", "c" }.Select(client => Accepted(book, ReportOf(book, 1, client))).ToArray();
        book = book.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Quorum, taken, Start));
        var next = Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, ["a", "b", "c"], Start));
        Assert.Equal(["a", "c"], next.Participants);
        book = book.Then(state => FederationDecisions.StartRound(state, 2, next.Participants, Start));
        HashSet<AssignmentKey> straggler = [new(1, "b"), new(2, "a")];
        Assert.IsType<RoundDecision.Close>(RoundPolicy.Decide(book, straggler, ["a", "b", "c"], Start));
    }

    [Fact]
    public void A_client_of_a_continuous_federation_gets_its_next_assignment_as_soon_as_it_reports()
    {
        var book = Open(Settings with { CommitEvery = 3 }).Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start));
        HashSet<AssignmentKey> inHand = [new(1, "a")];
        var join = Assert.IsType<RoundDecision.Join>(RoundPolicy.Decide(book, inHand, ["a", "b"], Start));
        Assert.Equal(["a"], join.Clients);

        book = book.Then(state => FederationDecisions.JoinRound(state, 1, ["a", "b"], inHand, Start));
        var (first, second) = (book.Assignments[new(1, "a")], book.Assignments[new(1, "a", 1)]);
        Assert.Equal(first.BaseVersion, second.BaseVersion);
        Assert.NotEqual(first.Seeds.ToArray(), second.Seeds.ToArray());
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, inHand, ["a", "b"], Start));
        Assert.Empty(FederationDecisions.JoinRound(book, 1, ["a", "b"], inHand, Start));

        var reports = new[] { first, second, book.Assignments[new(1, "b")] }.Select(assignment => Accepted(book, ReportOn(assignment)))
            .ToArray();
        book = book.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Quorum, reports, Start));
        Assert.Equal(["1/a", "1/a/1", "1/b"], book.LastCommit!.Reports.Select(report => report.Key.ToString()));
    }

    [Fact]
    public void The_federation_ends_when_its_target_loss_is_reached_or_its_time_is_up()
    {
        var book = Open(Settings with { EvaluateEvery = 1, TargetLoss = 2 })
            .Then(state => FederationDecisions.Evaluate(state, new ModelEvaluatedEntry(0, 10, 1.9, 0, 0)));
        var reached = Assert.IsType<RoundDecision.End>(RoundPolicy.Decide(book, Nothing, ["a"], Start));
        Assert.Equal((FederationEnd.TargetReached, 0), (reached.Reason, reached.Version));

        var timed = Open(Settings with { TimeLimit = TimeSpan.FromMinutes(1) });
        Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(timed, Nothing, ["a"], Start + TimeSpan.FromSeconds(59)));
        var end = Assert.IsType<RoundDecision.End>(RoundPolicy.Decide(timed, Nothing, ["a"], Start + TimeSpan.FromSeconds(60)));
        Assert.Equal(FederationEnd.TimeIsUp, end.Reason);
    }

    [Fact]
    public void A_paused_federation_starts_no_round_and_says_who_is_waited_for()
    {
        var book = Open().Then(state => FederationDecisions.Pause(state, "the backup runs", "ann"));
        Assert.Equal(new RoundDecision.Wait("somebody to resume it: the backup runs"), RoundPolicy.Decide(book, Nothing, ["a"], Start));
        book = book.Then(state => FederationDecisions.Resume(state, "ben"));
        Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, ["a"], Start));
    }

    [Fact]
    public void A_federation_that_is_paused_at_its_end_ends()
    {
        var done = Fold(Run(Settings, "a", "b")[..^1]).Then(state => FederationDecisions.Pause(state, "", "ann"));
        Assert.Equal(FederationEnd.Completed, Assert.IsType<RoundDecision.End>(RoundPolicy.Decide(done, Nothing, ["a"], Start)).Reason);

        var reached = Open(Settings with { EvaluateEvery = 1, TargetLoss = 2 })
            .Then(state => FederationDecisions.Evaluate(state, new ModelEvaluatedEntry(0, 10, 1.9, 0, 0)))
            .Then(state => FederationDecisions.Pause(state, "", "ann"));
        Assert.Equal(
            FederationEnd.TargetReached, Assert.IsType<RoundDecision.End>(RoundPolicy.Decide(reached, Nothing, ["a"], Start)).Reason);

        var timed = Open(Settings with { TimeLimit = TimeSpan.FromMinutes(1) }).Then(state => FederationDecisions.Pause(state, "", "ann"));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(timed, Nothing, ["a"], Start));
        Assert.IsType<RoundDecision.End>(RoundPolicy.Decide(timed, Nothing, ["a"], Start + TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void The_open_round_of_a_paused_federation_closes_by_its_quorum_or_its_deadline()
    {
        var book = Open().Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start))
            .Then(state => FederationDecisions.Pause(state, "", "ann"));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Keys("a"), ["a"], Start));
        Assert.Equal(new RoundDecision.Close(1, RoundEnd.Quorum), RoundPolicy.Decide(book, Keys("a", "b"), ["a"], Start));
        Assert.Equal(
            new RoundDecision.Close(1, RoundEnd.Deadline), RoundPolicy.Decide(book, Nothing, ["a"], Start + Settings.RoundDeadline));
    }

    [Fact]
    public void Nobody_joins_a_continuous_federation_that_is_paused()
    {
        var book = Open(Settings with { CommitEvery = 2 }).Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start));
        Assert.IsType<RoundDecision.Join>(RoundPolicy.Decide(book, Keys("a"), ["a", "b", "c"], Start));
        book = book.Then(state => FederationDecisions.Pause(state, "", "ann"));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Keys("a"), ["a", "b", "c"], Start));
    }

    [Fact]
    public void A_barred_client_is_not_free_until_its_bar_ends()
    {
        var until = Start + TimeSpan.FromMinutes(1);
        var book = Open().Then(state => FederationDecisions.Bar(state, "b", "", "ann", until, Start));
        var start = Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, ["a", "b"], Start));
        Assert.Equal(["a"], start.Participants);
        Assert.Equal(["a", "b"], Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(book, Nothing, ["a", "b"], until)).Participants);

        var continuous = Open(Settings with { CommitEvery = 2 }).Then(state => FederationDecisions.StartRound(state, 1, ["a"], Start))
            .Then(state => FederationDecisions.Bar(state, "b", "", "ann", null, Start));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(continuous, Nothing, ["a", "b"], Start));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_round_does_not_wait_for_a_participant_that_was_barred_in_it(bool synchronous)
    {
        var book = Open(Settings with { Synchronous = synchronous })
            .Then(state => FederationDecisions.StartRound(state, 1, ["a", "b", "c"], Start));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Keys("a", "c"), [], Start));
        book = book.Then(state => FederationDecisions.Bar(state, "b", "", "ann", null, Start));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Keys("a"), [], Start));
        // What the hand may still hold of it counts for nothing.
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Keys("a", "b"), [], Start));
        Assert.Equal(new RoundDecision.Close(1, RoundEnd.Quorum), RoundPolicy.Decide(book, Keys("a", "c"), [], Start));
    }

    [Fact]
    public void A_synchronous_round_waits_neither_for_the_lost_nor_for_the_barred()
    {
        var settings = Settings with { Synchronous = true, Dropout = 0.5 };
        string[] clients = [.. Enumerable.Range(0, 12).Select(k => $"client-{k:00}")];
        string[] reporting = [.. clients.Where(client => !Dropout.Takes(settings, new(1, client)))];
        Assert.InRange(reporting.Length, 2, clients.Length - 1);
        var book = Open(settings).Then(state => FederationDecisions.StartRound(state, 1, clients, Start));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(book, Keys(reporting[1..]), [], Start));
        book = book.Then(state => FederationDecisions.Bar(state, reporting[0], "", "ann", null, Start));
        Assert.Equal(new RoundDecision.Close(1, RoundEnd.Deadline), RoundPolicy.Decide(book, Keys(reporting[1..]), [], Start));
    }

    [Fact]
    public void A_round_whose_participants_are_all_barred_closes_at_once_unless_others_can_join_it()
    {
        var book = Open().Then(state => FederationDecisions.StartRound(state, 1, ["a"], Start))
            .Then(state => FederationDecisions.Bar(state, "a", "", "ann", null, Start));
        Assert.Equal(new RoundDecision.Close(1, RoundEnd.Deadline), RoundPolicy.Decide(book, Nothing, [], Start));

        var continuous = Open(Settings with { CommitEvery = 2 }).Then(state => FederationDecisions.StartRound(state, 1, ["a"], Start))
            .Then(state => FederationDecisions.Bar(state, "a", "", "ann", null, Start));
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(continuous, Nothing, [], Start));
        Assert.Equal(["b"], Assert.IsType<RoundDecision.Join>(RoundPolicy.Decide(continuous, Nothing, ["b"], Start)).Clients);
    }

    /// <summary>Whatever clients do, and however late, the federation ends, and no report is committed twice.</summary>
    [Fact]
    public void From_any_behaviour_of_clients_every_round_ends_and_no_report_counts_twice() =>
        Gen.Select(Gen.Int[0, 5].Array[400], AnyPolicy).Sample((behaviour, settings) =>
        {
            var (book, now, inHand) = (Open(settings), Start, new Dictionary<AssignmentKey, ScalarsReportedEntry>());
            HashSet<AssignmentKey> committed = [];
            for (var step = 0; book.Closed is null; step++)
            {
                Assert.True(step < 400, "it did not end");
                now += TimeSpan.FromSeconds(1);
                // Each client in its turn reports one of its open assignments, or stays silent.
                foreach (var assignment in book.Assignments.Values.Where(assignment => !assignment.IsReported))
                    if (behaviour[(step + assignment.Key.Client[0]) % behaviour.Length] == 0
                        && FederationDecisions.Judge(book, ReportOn(assignment), now) is ReportVerdict.Accept accepted)
                        inHand.TryAdd(assignment.Key, accepted.Entry);
                // They come and go, but one is always there.
                string[] alive = [.. new[] { "a", "b", "c" }.Where((_, k) => k == 0 || behaviour[(step * 7 + k) % behaviour.Length] < 4)];
                var decision = RoundPolicy.Decide(book, inHand.Keys.ToHashSet(), alive, now);
                book = book.Then(state => Events(state, decision, inHand.Values, now), at: now);
                if (book.LastCommit is { } commit && decision is RoundDecision.Close)
                {
                    Assert.All(commit.Reports, report => Assert.True(committed.Add(report.Key)));
                    Assert.All(commit.Reports, report => Assert.True(commit.Version - report.Round <= settings.StalenessBound));
                    inHand.Clear();
                }
            }
            Assert.Equal(settings.Rounds, book.Version);
        }, iter: 100);

    private static readonly Gen<FederationSettings> AnyPolicy =
        from quorum in Gen.Double[0.1, 1.0]
        from share in Gen.Double[0.2, 1.0]
        from overSelection in Gen.Double[1.0, 2.0]
        from minimum in Gen.Int[0, 3]
        from commitEvery in Gen.Int[0, 3]
        from bound in Gen.Int[0, 3]
        select Settings with
        {
            Quorum = quorum,
            Participation = share,
            OverSelection = overSelection,
            MinimumReports = minimum,
            CommitEvery = commitEvery,
            StalenessBound = bound,
        };

    private static IReadOnlyList<LogEvent> Events(
        FederationState state, RoundDecision decision, IEnumerable<ScalarsReportedEntry> inHand, DateTimeOffset now) => decision switch
        {
            RoundDecision.Start start => FederationDecisions.StartRound(state, start.Round, start.Participants, now),
            RoundDecision.Join join => FederationDecisions.JoinRound(
                state, join.Round, join.Clients, inHand.Select(report => report.Key).ToHashSet(), now),
            RoundDecision.Close close => FederationDecisions.Commit(state, close.Round, close.Reason, inHand, now),
            RoundDecision.End end => FederationDecisions.Close(state, end.Reason, end.Version, inHand, now),
            _ => [],
        };

    private static HashSet<AssignmentKey> Keys(params string[] clients) => [.. clients.Select(client => new AssignmentKey(1, client))];
}
