using FedKSeed.Contracts;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using static FedKSeed.Federation.Tests.Federations;

namespace FedKSeed.Federation.Tests;

public class ReportTests
{
    private static readonly FederationState Started = Open().Then(state => FederationDecisions.StartRound(state, 1, ["a", "b"], Start));

    [Fact]
    public void A_report_for_an_assignment_that_never_was_is_refused() =>
        Assert.Contains(
            "no assignment 1/c", Refusal(Started, ReportOf(Started, 1, "a") with { Key = new(1, "c") }), StringComparison.Ordinal);

    [Fact]
    public void A_report_with_a_wrong_number_of_scalars_is_refused() =>
        Assert.Contains(
            "are not 5 steps", Refusal(Started, ReportOf(Started, 1, "a") with { Scalars = new float[4] }), StringComparison.Ordinal);

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(2e4f)]
    public void Absurd_scalars_are_refused(float scalar) =>
        Assert.Contains("not finite or beyond", Refusal(Started, ReportOf(Started, 1, "a", scalar)), StringComparison.Ordinal);

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public void A_report_without_examples_is_refused(int examples) =>
        Assert.Contains("examples", Refusal(Started, ReportOf(Started, 1, "a") with { Examples = examples }), StringComparison.Ordinal);

    [Fact]
    public void Skipped_steps_must_be_positions_of_the_assignment_in_order()
    {
        var report = ReportOf(Started, 1, "a");
        Assert.Contains(
            "skipped", Refusal(Started, report with { Scalars = new float[3], SkippedSteps = [3, 3] }), StringComparison.Ordinal);
        Assert.Contains("skipped", Refusal(Started, report with { Scalars = new float[4], SkippedSteps = [5] }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_skipped_step_leaves_its_seed_out()
    {
        var assigned = Started.Assignments[new AssignmentKey(1, "a")].Seeds.ToArray();
        var entry = Accepted(Started, ReportOf(Started, 1, "a") with { Scalars = new float[4], SkippedSteps = [2] });
        var after = FederationFold.Take(Started, entry, Start);
        Assert.Equal([assigned[0], assigned[1], assigned[3], assigned[4]], after.Uncommitted[0].Seeds.ToArray());
    }

    [Fact]
    public void A_report_that_the_log_holds_is_a_repeat()
    {
        var report = ReportOf(Started, 1, "a");
        var after = Started.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Quorum, [Accepted(state, report)], Start));
        Assert.IsType<ReportVerdict.Repeat>(FederationDecisions.Judge(after, report, Start));
    }

    [Fact]
    public void A_straggler_counts_until_its_staleness_bound_and_no_longer()
    {
        var late = ReportOf(Started, 1, "b");
        var state = Started.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [], Start));
        state = state.Then(state => FederationDecisions.StartRound(state, 2, ["a"], Start));
        state = state.Then(state => FederationDecisions.Commit(state, 2, RoundEnd.Deadline, [], Start));
        Assert.IsType<ReportVerdict.Accept>(FederationDecisions.Judge(state, late, Start));

        state = state.Then(state => FederationDecisions.StartRound(state, 3, ["a"], Start));
        var taken = FederationDecisions.Commit(state, 3, RoundEnd.Quorum, [Accepted(state, late)], Start);
        Assert.Equal(Accumulators.Weight(10, staleness: 2), Assert.IsType<RoundCommittedEntry>(taken[^1]).Reports.Single().Weight);

        state = state.Then(state => FederationDecisions.Commit(state, 3, RoundEnd.Deadline, [], Start));
        Assert.Contains("commits old", Refusal(state, late), StringComparison.Ordinal);
    }

    [Fact]
    public void A_round_that_was_committed_is_not_committed_again()
    {
        var after = Started.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Quorum, [], Start));
        Assert.Empty(FederationDecisions.Commit(after, 1, RoundEnd.Quorum, [Accepted(Started, ReportOf(Started, 1, "a"))], Start));
    }

    [Fact]
    public void Settings_are_checked_all_at_once()
    {
        var faults = (Settings with
        {
            Directions = new()
            {
                SeedCount = 0,
                Scheme = "torch"
            },
            Rounds = 0,
            Epsilon = -1,
            Name = "No Spaces"
        }).Faults();
        foreach (var name in new[] { "SeedCount", "Rounds", "Epsilon", "Name", "Scheme" })
            Assert.Contains(faults, fault => fault.Contains(name, StringComparison.Ordinal));
    }

    private static string Refusal(FederationState state, ClientReport report) =>
        Assert.IsType<ReportVerdict.Refuse>(FederationDecisions.Judge(state, report, Start)).Reason;
}
