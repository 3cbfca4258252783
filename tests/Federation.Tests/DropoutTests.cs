using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using static FedKSeed.Federation.Tests.Federations;

namespace FedKSeed.Federation.Tests;

/// <summary>Reports that a draw takes (SPEC 11).</summary>
public class DropoutTests
{
    private static readonly HashSet<AssignmentKey> Nothing = [];
    private static readonly string[] Clients = [.. Enumerable.Range(0, 10).Select(k => $"client-{k}")];
    private static readonly FederationSettings Lossy = Settings with { Dropout = 0.5 };

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.3)]
    [InlineData(0.6)]
    public void It_takes_its_share_of_the_reports_and_other_ones_in_each_round(double share)
    {
        var settings = Settings with { Dropout = share };
        bool[] Taken(FederationSettings of, int round) =>
            [.. Enumerable.Range(0, 5000).Select(k => Dropout.Takes(of, new AssignmentKey(round, $"client-{k}")))];
        var taken = Taken(settings, 1);
        // Five standard deviations.
        Assert.Equal(share, taken.Count(isTaken => isTaken) / 5000.0, 5 * Math.Sqrt(share * (1 - share) / 5000));
        Assert.Equal(taken, Taken(settings, 1));
        Assert.NotEqual(taken, Taken(settings, 2));
        Assert.NotEqual(taken, Taken(settings with { Directions = settings.Directions with { PoolKey = 2 } }, 1));
        Assert.DoesNotContain(true, Taken(Settings, 1));
    }

    [Fact]
    public void A_report_that_it_takes_is_neither_accepted_nor_refused_and_no_log_can_hold_it()
    {
        var state = Started(Lossy);
        var (lost, kept) = (Key(Lossy, isLost: true), Key(Lossy, isLost: false));
        Assert.IsType<ReportVerdict.Lost>(FederationDecisions.Judge(state, ReportOf(state, 1, lost.Client), Start));
        Assert.IsType<ReportVerdict.Accept>(FederationDecisions.Judge(state, ReportOf(state, 1, kept.Client), Start));

        var without = Started(Settings);
        var entry = Accepted(without, ReportOf(without, 1, lost.Client));
        var refusal = Assert.Throws<InvalidEntryException>(() => state.Then(_ => [entry]));
        Assert.Contains("dropout takes", refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_synchronous_round_closes_with_the_reports_that_are_left_and_the_next_one_has_all_clients()
    {
        var settings = Lossy with { Synchronous = true };
        var state = Started(settings);
        var left = Clients.Select(client => new AssignmentKey(1, client)).Where(key => !Dropout.Takes(settings, key)).ToArray();
        Assert.InRange(left.Length, 2, Clients.Length - 1);
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(state, left.Skip(1).ToHashSet(), Clients, Start));
        var close = Assert.IsType<RoundDecision.Close>(RoundPolicy.Decide(state, left.ToHashSet(), Clients, Start));
        Assert.Equal(RoundEnd.Deadline, close.Reason);

        state = state.Then(state => FederationDecisions.Commit(
            state, 1, close.Reason, left.Select(key => Accepted(state, ReportOf(state, 1, key.Client))).ToArray(), Start));
        Assert.Equal(Clients, Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(state, Nothing, Clients, Start)).Participants);
    }

    [Fact]
    public void A_synchronous_round_of_which_every_report_is_lost_commits_nothing_and_goes_on()
    {
        var settings = Lossy with { Synchronous = true };
        var lost = Key(settings, isLost: true).Client;
        var state = Open(settings).Then(state => FederationDecisions.StartRound(state, 1, [lost], Start));
        Assert.Equal(
            new RoundDecision.Close(1, RoundEnd.Deadline), RoundPolicy.Decide(state, Nothing, [lost], Start));
        state = state.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [], Start));
        Assert.Equal(2, Assert.IsType<RoundDecision.Start>(RoundPolicy.Decide(state, Nothing, [lost], Start)).Round);
    }

    [Fact]
    public void A_round_by_the_clock_does_not_know_what_is_lost_and_waits_for_its_deadline()
    {
        var state = Started(Lossy);
        var left = Clients.Select(client => new AssignmentKey(1, client)).Where(key => !Dropout.Takes(Lossy, key)).ToHashSet();
        Assert.IsType<RoundDecision.Wait>(RoundPolicy.Decide(state, left, Clients, Start));
        Assert.IsType<RoundDecision.Close>(RoundPolicy.Decide(state, left, Clients, Start + Lossy.RoundDeadline));
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1)]
    [InlineData(double.NaN)]
    public void A_share_that_is_none_is_a_fault(double share) =>
        Assert.Contains("Dropout", Assert.Single((Settings with { Dropout = share }).Faults()), StringComparison.Ordinal);

    private static FederationState Started(FederationSettings settings) =>
        Open(settings).Then(state => FederationDecisions.StartRound(state, 1, Clients, Start));

    private static AssignmentKey Key(FederationSettings settings, bool isLost) =>
        Clients.Select(client => new AssignmentKey(1, client)).First(key => Dropout.Takes(settings, key) == isLost);
}
