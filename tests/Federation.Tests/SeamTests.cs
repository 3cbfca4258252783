using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rates;
using FedKSeed.Federation.Rounds;
using FedKSeed.Federation.Sampling;
using static FedKSeed.Federation.Tests.Federations;

namespace FedKSeed.Federation.Tests;

/// <summary>What a newcomer adds is one class: these are such classes, and nothing in the product knows them.</summary>
public class SeamTests
{
    [Fact]
    public void A_sampling_rule_of_ones_own_draws_the_seeds_of_assignments()
    {
        var state = Started(Settings with { Sampling = new OnlyTheSeventh() });
        Assert.All(state.Assignments.Values, assignment => Assert.All(assignment.Seeds.ToArray(), seed => Assert.Equal(7, seed)));
    }

    [Fact]
    public void An_aggregation_rule_of_ones_own_makes_the_commit_and_its_weights()
    {
        var state = Started(Settings with { Aggregation = new LastReportWins() });
        var reports = new[] { "a", "b" }.Select(client => Accepted(state, ReportOf(state, 1, client, client == "a" ? 1f : 3f))).ToArray();
        var after = After(state, FederationDecisions.Commit(state, 1, RoundEnd.Quorum, reports, Start));
        Assert.Equal([0, 1], after.LastCommit!.Reports.Select(report => report.Weight));
        var perStep = Accumulators.Contribution(Settings.LearningRateOf(1), 3f);
        foreach (var seeds in state.Assignments[reports[1].Key].Seeds.ToArray().CountBy(seed => seed))
            Assert.Equal(seeds.Value * perStep, after.Accumulators.Span[seeds.Key]);
    }

    [Fact]
    public void A_schedule_of_ones_own_sets_the_learning_rate_of_a_round()
    {
        var state = Started(Settings with { Schedule = new Halved() });
        Assert.All(state.Assignments.Values, assignment => Assert.Equal(Settings.LearningRate / 2, assignment.LearningRate));
    }

    [Fact]
    public void A_rule_and_a_form_of_ones_own_set_the_learning_rates_of_clients()
    {
        var settings = Settings with { ClientRates = new ManyExamples(), ClientRateForm = new Doubled(), MaximumScalar = 1000 };
        var state = Started(settings);
        var reports = new[] { "a", "b" }.Select(client => Accepted(state, ReportOf(state, 1, client) with { Examples = client[0] }));
        state = After(state, FederationDecisions.Commit(state, 1, RoundEnd.Quorum, reports, Start));
        state = After(state, FederationDecisions.StartRound(state, 2, ["a", "b", "c"], Start));
        Assert.Equal(
            [2.0 * 'a', 2.0 * 'b', 1],
            state.Assignments.Values.Where(assignment => assignment.Key.Round == 2)
                .Select(assignment => Math.Round(assignment.LearningRate / settings.LearningRateOf(2), 9)));
    }

    [Fact]
    public void A_rule_that_this_version_does_not_know_is_refused_by_name()
    {
        var line = EventLog.Write(LogHead.Start, Start, FederationDecisions.Open(new(), Settings with { Sampling = new OnlyTheSeventh() }))
            .Lines[0];
        var refusal = Assert.Throws<InvalidEntryException>(() => EventLog.Read(LogHead.Start, line));
        Assert.Contains("Uniform, Importance, ShrunkImportance", refusal.Reason, StringComparison.Ordinal);
    }

    private static FederationState Started(FederationSettings settings)
    {
        var open = After(new FederationState(), FederationDecisions.Open(new FederationState(), settings));
        return After(open, FederationDecisions.StartRound(open, 1, ["a", "b"], Start));
    }

    private static FederationState After(FederationState state, IReadOnlyList<LogEvent> events) =>
        FederationFold.Fold(state, EventLog.Write(state.Head, Start, events).Entries);

    private sealed class OnlyTheSeventh : SamplingRule
    {
        public override string Name => "OnlyTheSeventh";

        public override SeedDistribution Distribution(Importance importance) =>
            new([.. Enumerable.Range(0, importance.Counts.Length).Select(seed => seed == 7 ? 1UL : 0)]);
    }

    private sealed class LastReportWins : AggregationRule
    {
        public override string Name => "LastReportWins";

        public override Aggregate Commit(ReadOnlyMemory<long> accumulators, IReadOnlyList<AggregatedReport> reports)
        {
            var last = reports[^1];
            long[] weights = [.. reports.Select(report => report == last ? 1L : 0)];
            return new Aggregate(
                weights, Accumulators.Commit(accumulators, [new WeightedReport(1, last.Seeds, last.Contributions)]));
        }
    }

    private sealed class ManyExamples : ClientRateRule
    {
        public override string Name => "ManyExamples";

        public override double LargestFactor(ClientRateForm form, double spread) => form.LargestFactor(spread);

        public override IReadOnlyList<double?> Observe(IReadOnlyList<RatedReport> reports, int seedCount) =>
            [.. reports.Select(report => (double?)report.Aggregated.Examples)];
    }

    private sealed class Doubled : ClientRateForm
    {
        public override string Name => "Doubled";

        public override double LargestFactor(double spread) => 200;

        public override double[] Factors(IReadOnlyList<double> values, IReadOnlyList<int> examples, double spread) =>
            [.. values.Select(value => 2 * value)];
    }

    private sealed class Halved : LearningRateSchedule
    {
        public override string Name => "Halved";

        public override double Share(double done) => 0.5;
    }
}
