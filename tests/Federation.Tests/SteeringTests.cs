using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using static FedKSeed.Federation.Tests.Federations;

namespace FedKSeed.Federation.Tests;

/// <summary>What people do to a federation: each is an entry with its actor, and the fold holds everybody to it.</summary>
public class SteeringTests
{
    private static readonly DateTimeOffset Noon = Start.AddHours(12);

    private static readonly FederationState Started = Open().Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start));

    private static readonly FederationState Paused = Open().Then(state => FederationDecisions.Pause(state, "a reason", "ann"));

    private static readonly FederationState Barred = Started.Then(Bar("a", Noon));

    // ---------------------------------------------------------------- decisions

    [Fact]
    public void What_was_done_is_not_done_again()
    {
        Assert.Empty(FederationDecisions.Pause(Paused, "another reason", "ben"));
        Assert.Empty(FederationDecisions.Resume(Open(), "ben"));
        Assert.Empty(FederationDecisions.Bar(Barred, "a", "", "ben", Noon, Start));
        Assert.Empty(FederationDecisions.Readmit(Open(), "a", "", "ben", Start));
        var stopped = Open().Then(state => FederationDecisions.Stop(state, "ann", [], Start));
        Assert.Empty(FederationDecisions.Stop(stopped, "ben", [], Start));
        Assert.Empty(FederationDecisions.Open(Open(), Settings, "ben"));
    }

    [Fact]
    public void Nothing_is_done_before_a_federation_is_open_or_after_it_is_closed()
    {
        foreach (var state in new[] { new FederationState(), Open().Then(state => FederationDecisions.Stop(state, "ann", [], Start)) })
        {
            Assert.Empty(FederationDecisions.Pause(state, "", "ann"));
            Assert.Empty(FederationDecisions.Resume(state, "ann"));
            Assert.Empty(FederationDecisions.Bar(state, "a", "", "ann", null, Start));
            Assert.Empty(FederationDecisions.Readmit(state, "a", "", "ann", Start));
            Assert.Empty(FederationDecisions.Stop(state, "ann", [], Start));
        }
    }

    [Fact]
    public void Every_act_is_an_entry_with_its_actor()
    {
        Assert.Equal("ann", Assert.IsType<FederationOpenedEntry>(FederationDecisions.Open(new(), Settings, "ann").Single()).Actor);
        Assert.Equal(new FederationPausedEntry("ann", "why"), FederationDecisions.Pause(Open(), "why", "ann").Single());
        Assert.Equal(new FederationResumedEntry("ben"), FederationDecisions.Resume(Paused, "ben").Single());
        Assert.Equal(
            new ClientBarredEntry("c", "why", "ann", Noon), FederationDecisions.Bar(Open(), "c", "why", "ann", Noon, Start).Single());
        Assert.Equal(new ClientReadmittedEntry("a", "why", "ben"), FederationDecisions.Readmit(Barred, "a", "why", "ben", Start).Single());
        Assert.Equal(
            new FederationClosedEntry(FederationEnd.Stopped, 0, "ben"), FederationDecisions.Stop(Open(), "ben", [], Start).Single());
    }

    [Fact]
    public void A_bar_with_another_reason_or_end_takes_the_place_of_the_one_before()
    {
        var longer = Barred.Then(Bar("a"));
        Assert.True(longer.IsBarred("a", Noon.AddYears(1)));
        var other = longer.Then(Bar("a", until: null, reason: "another"));
        Assert.Equal("another", Assert.Single(other.Barred).Value.Reason);
        Assert.Equal(Noon, other.Then(Bar("a", Noon)).Barred["a"].Until);
    }

    [Fact]
    public void An_assignment_that_was_made_before_a_bar_does_not_keep_its_client_busy_after_it()
    {
        var settings = Settings with { MinimumClients = 2, Rounds = 3 };
        var before = new FederationState().Then(state => FederationDecisions.Open(state, settings))
            .Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start));
        var after = before.Then(Bar("a")).Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [], Start))
            .Then(state => FederationDecisions.Readmit(state, "a", "", "ann", Start));

        Assert.True(after.Assignments[new AssignmentKey(1, "a")].IsLost);
        Assert.False(after.Assignments[new AssignmentKey(1, "b")].IsLost);
        var waits = RoundPolicy.Decide(after, new HashSet<AssignmentKey>(), ["a", "b"], Start);
        // The other one has not reported either, and nobody barred it.
        Assert.Contains("1 of at least 2", Assert.IsType<RoundDecision.Wait>(waits).For, StringComparison.Ordinal);
        var starts = RoundPolicy.Decide(after, new HashSet<AssignmentKey>(), ["a", "b", "c"], Start);
        Assert.Equal(["a", "c"], Assert.IsType<RoundDecision.Start>(starts).Participants);
        Assert.Equal(
            after.Assignments[new AssignmentKey(1, "a")].IsLost,
            StateCheckpoint.Read(StateCheckpoint.Write(after)).Assignments[new AssignmentKey(1, "a")].IsLost);
    }

    [Fact]
    public void In_a_continuous_round_a_client_that_is_readmitted_gets_its_next_assignment()
    {
        var settings = Settings with { CommitEvery = 5 };
        var readmitted = new FederationState().Then(state => FederationDecisions.Open(state, settings))
            .Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start)).Then(Bar("a"))
            .Then(state => FederationDecisions.Readmit(state, "a", "", "ann", Start));
        var joined = FederationDecisions.JoinRound(readmitted, 1, ["a", "b"], new HashSet<AssignmentKey>(), Start);
        Assert.Equal(new AssignmentKey(1, "a", 1), Assert.IsType<SeedsAssignedEntry>(Assert.Single(joined)).Key);
        _ = readmitted.Then(_ => joined);
    }

    [Fact]
    public void Who_stops_a_federation_says_why_or_does_not()
    {
        Assert.Equal(
            new FederationClosedEntry(FederationEnd.Stopped, 0, "ben", "good enough"),
            Open().Then(state => FederationDecisions.Stop(state, "ben", [], Start, "good enough")).Closed);
        Assert.Null(Open().Then(state => FederationDecisions.Stop(state, "ben", [], Start)).Closed!.Why);
    }

    [Fact]
    public void A_bar_is_over_by_itself_at_its_end()
    {
        Assert.True(Barred.IsBarred("a", Noon.AddTicks(-1)));
        Assert.False(Barred.IsBarred("a", Noon));
        Assert.False(Barred.IsBarred("b", Start));
        Assert.Empty(FederationDecisions.Readmit(Barred, "a", "", "ann", Noon));
        Assert.Single(FederationDecisions.Bar(Barred, "a", "", "ann", null, Noon));
        Assert.Equal(["a", "b"], Participants(Open().Then(Bar("a", Noon)), Noon));
        Assert.Equal(["b"], Participants(Open().Then(Bar("a", Noon)), Noon.AddTicks(-1)));

        static IEnumerable<string> Participants(FederationState state, DateTimeOffset now) =>
            ((RoundStartedEntry)FederationDecisions.StartRound(state, 1, ["a", "b"], now)[0]).Participants;
    }

    [Fact]
    public void A_bar_that_would_be_over_changes_nothing_and_the_log_has_its_end_in_UTC()
    {
        Assert.Empty(FederationDecisions.Bar(Started, "b", "", "ann", Start, Start));
        Assert.Throws<FormatException>(() => FederationDecisions.Bar(Started, "b", "", "ann", DateTimeOffset.MaxValue, Start));
        var abroad = Noon.ToOffset(TimeSpan.FromHours(5));
        var entry = Assert.IsType<ClientBarredEntry>(FederationDecisions.Bar(Started, "b", "", "ann", abroad, Start).Single());
        Assert.Equal((Noon, TimeSpan.Zero), (entry.Until!.Value, entry.Until.Value.Offset));
        Assert.Empty(FederationDecisions.Bar(Started.Then(_ => [entry]), "b", "", "ann", abroad, Start));
    }

    [Fact]
    public void A_barred_client_is_told_why_its_report_is_refused_and_until_when()
    {
        var barred = Started.Then(Bar("a", Noon, "wrong labels"));
        var refusal = Assert.IsType<ReportVerdict.Refuse>(FederationDecisions.Judge(barred, ReportOf(barred, 1, "a"), Start));
        Assert.Equal("a is barred until 2026-01-01 12:00:00 UTC: wrong labels", refusal.Reason);
        Assert.IsType<ReportVerdict.Accept>(FederationDecisions.Judge(barred, ReportOf(barred, 1, "b"), Start));
    }

    [Fact]
    public void What_was_assigned_before_a_bar_counts_when_it_is_reported_after_its_end()
    {
        var entry = Assert.IsType<ReportVerdict.Accept>(FederationDecisions.Judge(Barred, ReportOf(Barred, 1, "a"), Noon)).Entry;
        var after = Barred.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Quorum, [entry], Noon), at: Noon);
        Assert.Equal("a", Assert.Single(after.LastCommit!.Reports).Client);
    }

    [Fact]
    public void Reports_in_hand_are_dropped_with_the_bar_and_never_reach_the_log()
    {
        var inHand = new[] { "a", "b" }.Select(client => Accepted(Started, ReportOf(Started, 1, client))).ToArray();
        var events = FederationDecisions.Bar(Started, "a", "", "ann", null, Start);
        Assert.Equal([new AssignmentKey(1, "a")], FederationDecisions.DroppedBy(events, inHand.Select(report => report.Key)));
        Assert.Empty(FederationDecisions.DroppedBy(FederationDecisions.Pause(Started, "", "ann"), inHand.Select(report => report.Key)));

        // Should the hand still hold it, nothing that is written does.
        var barred = Started.Then(_ => events);
        var committed = barred.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Quorum, inHand, Start));
        Assert.Equal("b", Assert.Single(committed.LastCommit!.Reports).Client);
        var closed = FederationDecisions.Close(
            barred.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [], Start)), FederationEnd.Completed, 1, inHand,
            Start);
        Assert.Equal("b", Assert.Single(closed.OfType<ScalarsReportedEntry>()).Client);
    }

    [Fact]
    public void No_round_starts_and_nobody_joins_one_while_the_federation_is_paused()
    {
        Assert.Empty(FederationDecisions.StartRound(Paused, 1, ["a"], Start));
        var continuous = Open(Settings with { CommitEvery = 2 }).Then(state => FederationDecisions.StartRound(state, 1, ["a"], Start));
        Assert.Single(FederationDecisions.JoinRound(continuous, 1, ["b"], new HashSet<AssignmentKey>(), Start));
        var paused = continuous.Then(state => FederationDecisions.Pause(state, "", "ann"));
        Assert.Empty(FederationDecisions.JoinRound(paused, 1, ["b"], new HashSet<AssignmentKey>(), Start));
        Assert.Empty(FederationDecisions.JoinRound(continuous.Then(Bar("b")), 1, ["b"], new HashSet<AssignmentKey>(), Start));
    }

    [Fact]
    public void Stopping_commits_the_open_round_first_and_keeps_the_version_that_the_settings_say()
    {
        var report = Accepted(Started, ReportOf(Started, 1, "b"));
        var events = FederationDecisions.Stop(Started, "ann", [report], Start);
        Assert.Equal(
            [typeof(ScalarsReportedEntry), typeof(RoundCommittedEntry), typeof(FederationClosedEntry)],
            events.Select(happened => happened.GetType()));
        var stopped = Started.Then(_ => events);
        Assert.Equal(1, stopped.Version);
        Assert.Equal(new FederationClosedEntry(FederationEnd.Stopped, 1, "ann"), stopped.Closed);
        Assert.Equal(RoundEnd.Deadline, stopped.LastCommit!.Closed);

        var best = Open(Settings with { Keep = KeptVersion.Best })
            .Then(state => FederationDecisions.Evaluate(state, new ModelEvaluatedEntry(0, 10, 5, 0, 0)))
            .Then(state => FederationDecisions.StartRound(state, 1, ["a"], Start))
            .Then(state => FederationDecisions.Stop(state, "ann", [], Start));
        Assert.Equal((1, 0), (best.Version, best.Closed!.Version));
    }

    [Fact]
    public void Stopping_between_rounds_writes_late_reports_down_but_no_version_counts_them()
    {
        var late = Accepted(Started, ReportOf(Started, 1, "b"));
        var stopped = Started.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [], Start))
            .Then(state => FederationDecisions.Stop(state, "ann", [late], Start));
        Assert.Equal((1, 1), (stopped.Version, stopped.Closed!.Version));
        Assert.Equal("b", Assert.Single(stopped.Uncommitted).Report.Client);
    }

    [Fact]
    public void An_end_that_somebody_makes_is_not_made_without_a_name() => Assert.Throws<FormatException>(
        () => FederationDecisions.Close(Open(), FederationEnd.Stopped, 0, [], Start));

    [Fact]
    public void A_log_of_an_older_format_goes_on_unsteered()
    {
        var old = Fold(GoldenLogTests.Lines("format-3-skipped-steps.log")[..^1]);
        foreach (var act in new Action[]
        {
            () => FederationDecisions.Pause(old, "", "ann"),
            () => FederationDecisions.Bar(old, "a", "", "ann", null, Start),
            () => FederationDecisions.Stop(old, "ann", [], Start),
        })
            Assert.Contains("format 3", Assert.Throws<InvalidOperationException>(act).Message, StringComparison.Ordinal);
        Assert.Single(FederationDecisions.Close(old, FederationEnd.Completed, old.Version, [], Start));
    }

    // ---------------------------------------------------------------- words

    public static TheoryData<string, string> Unsound => new()
    {
        { "", "" }, { new string('a', Limits.Actor + 1), "" }, { "an\nn", "" }, { "J\u00fcrg", "" }, { "ann\u007f", "" },
        { "ann", new string('a', Limits.Reason + 1) }, { "ann", "one\ntwo" }, { "ann", "\u001b[31m" }, { "ann", "\u0085" },
        { "ann", "\ud83d" }, { "ann", "\udd11\ud83d" },
    };

    [Theory, MemberData(nameof(Unsound))]
    public void A_name_or_a_reason_that_no_log_may_hold_is_refused_by_decision_and_fold(string actor, string reason)
    {
        Assert.Throws<FormatException>(() => FederationDecisions.Pause(Open(), reason, actor));
        Assert.Throws<FormatException>(() => FederationDecisions.Bar(Open(), "a", reason, actor, null, Start));
        Assert.Throws<FormatException>(() => FederationDecisions.Readmit(Barred, "a", reason, actor, Start));
        var entry = new LogEntry(Open().Head.Length, Start, new FederationPausedEntry(actor, reason), new string('0', 64));
        Assert.Throws<InvalidEntryException>(() => FederationFold.Apply(Open(), entry));
        if (reason.Length > 0)
            return;
        Assert.Throws<FormatException>(() => FederationDecisions.Open(new(), Settings, actor));
        Assert.Throws<FormatException>(() => FederationDecisions.Resume(Paused, actor));
        Assert.Throws<FormatException>(() => FederationDecisions.Stop(Open(), actor, [], Start));
    }

    [Fact]
    public void The_longest_name_and_reason_are_sound()
    {
        var (actor, reason) = (new string('~', Limits.Actor), string.Concat(Enumerable.Repeat("\U0001f511", Limits.Reason / 2)));
        var paused = Open().Then(state => FederationDecisions.Pause(state, reason, actor));
        Assert.Equal(new FederationPausedEntry(actor, reason), paused.Paused);
    }

    // ---------------------------------------------------------------- the fold, by logs that break its rules

    public static TheoryData<string, LogEvent, string> Broken => new()
    {
        { nameof(Paused), new FederationPausedEntry("ben", ""), "paused already" },
        { nameof(Paused), new RoundStartedEntry(1, ["a"]), "paused" },
        { nameof(Open), new FederationResumedEntry("ben"), "not paused" },
        { nameof(Barred), new ClientBarredEntry("a", "", "ben", Noon), "as long already" },
        { nameof(Open), new ClientBarredEntry("a", "", "ben", Start), "not after it" },
        { nameof(Open), new ClientBarredEntry("a", "", "ben", Noon.ToOffset(TimeSpan.FromHours(1))), "not in UTC" },
        { nameof(Open), new ClientBarredEntry("a", "", "ben", Noon.AddYears(400)), "not in UTC" },
        { nameof(Open), new ClientBarredEntry("A b", "", "ben"), "name" },
        { nameof(Open), new ClientReadmittedEntry("a", "", "ben"), "not barred" },
        { nameof(Open), new FederationClosedEntry(FederationEnd.Stopped, 0), "Stopped" },
        { nameof(Open), new FederationClosedEntry(FederationEnd.Completed, 0, "ben"), "Stopped" },
        { nameof(Open), new FederationClosedEntry(FederationEnd.Stopped, 0, ""), "actor" },
        { nameof(Open), new FederationClosedEntry(FederationEnd.Completed, 0, Why: "enough"), "words" },
        { nameof(Open), new FederationClosedEntry(FederationEnd.Stopped, 0, "ben", "a\nb"), "reason" },
        { "barred between rounds", new RoundStartedEntry(1, ["a", "b"]), "a is barred" },
    };

    [Theory, MemberData(nameof(Broken))]
    public void A_log_that_breaks_a_rule_is_refused_at_the_entry(string before, LogEvent entry, string fault)
    {
        var state = before switch
        {
            nameof(Paused) => Paused,
            nameof(Barred) => Barred,
            nameof(Open) => Open(),
            _ => Open().Then(Bar("a", Noon)),
        };
        var refusal = Assert.Throws<InvalidEntryException>(() => state.Then(_ => [entry]));
        Assert.Equal(state.Head.Length, refusal.Sequence);
        Assert.Contains(fault, refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_report_of_a_client_that_is_barred_at_the_entrys_time_is_refused()
    {
        var report = Accepted(Started, ReportOf(Started, 1, "a"));
        var refusal = Assert.Throws<InvalidEntryException>(() => Barred.Then(_ => [report], at: Noon.AddTicks(-1)));
        Assert.Contains("a is barred", refusal.Reason, StringComparison.Ordinal);
        Assert.Single(Barred.Then(_ => [report], at: Noon).Uncommitted);
    }

    [Fact]
    public void An_assignment_of_a_barred_client_and_any_while_the_federation_is_paused_are_refused()
    {
        var open = Open(Settings with { CommitEvery = 2 }).Then(state => FederationDecisions.StartRound(state, 1, ["a"], Start));
        var joined = FederationDecisions.JoinRound(open, 1, ["b"], new HashSet<AssignmentKey>(), Start);
        Assert.Equal(2, open.Then(_ => joined).Assignments.Count);
        foreach (var (state, fault) in new[]
        {
            (open.Then(Bar("b")), "b is barred"), (open.Then(state => FederationDecisions.Pause(state, "", "ann")), "paused"),
        })
            Assert.Contains(
                fault, Assert.Throws<InvalidEntryException>(() => state.Then(_ => joined)).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Reports_that_a_cut_off_log_holds_uncommitted_count_in_no_commit_after_their_clients_bar()
    {
        var cut = Started.Then(state => new[] { "a", "b" }.Select(client => Accepted(state, ReportOf(state, 1, client))).ToArray());
        var after = cut.Then(Bar("a")).Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [], Start));
        Assert.Equal("b", Assert.Single(after.LastCommit!.Reports).Client);
        var genuine = cut.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [], Start)).LastCommit!;
        Assert.Throws<InvalidEntryException>(() => cut.Then(Bar("a")).Then(_ => [genuine]));
    }

    public static TheoryData<LogEvent> Steered =>
    [
        new FederationPausedEntry("ann", ""), new FederationResumedEntry("ann"), new ClientBarredEntry("a", "", "ann"),
        new ClientReadmittedEntry("a", "", "ann"), new FederationClosedEntry(FederationEnd.Stopped, 0, "ann"),
    ];

    [Theory, MemberData(nameof(Steered))]
    public void What_people_do_is_refused_in_a_log_of_an_older_format(LogEvent entry)
    {
        for (var format = LogProtocol.First; format < LogProtocol.Current; format++)
        {
            LogEvent[][] logs =
                [[new FederationOpenedEntry(format, Settings), entry], [new FederationOpenedEntry(format, Settings, "ann")]];
            foreach (var log in logs)
            {
                // By the fold alone: how format 1 writes its first entry nobody writes any more.
                var entries = log.Select((happened, k) => new LogEntry(k, Start, happened, new string('0', 64)));
                var refusal = Assert.Throws<InvalidEntryException>(() => FederationFold.Fold(new FederationState(), entries));
                Assert.Equal(
                    (log.Length - 1, $"a log of format {format} does not say who steers its federation"),
                    (refusal.Sequence, refusal.Reason));
            }
        }
    }

    [Fact]
    public void A_checkpoint_keeps_who_paused_the_federation_and_who_is_barred()
    {
        var state = Barred.Then(Bar("z", reason: "why")).Then(state => FederationDecisions.Pause(state, "why", "ann"));
        var read = StateCheckpoint.Read(StateCheckpoint.Write(state));
        Assert.Equal(state.Paused, read.Paused);
        Assert.Equal(state.Barred, read.Barred);
        Assert.Equal(StateCheckpoint.Write(state), StateCheckpoint.Write(read));
    }

    private static Func<FederationState, IReadOnlyList<LogEvent>> Bar(
        string client, DateTimeOffset? until = null, string reason = "") =>
        state => FederationDecisions.Bar(state, client, reason, "ann", until, Start);
}
