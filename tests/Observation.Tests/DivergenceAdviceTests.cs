using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Observation.Tests;

public class DivergenceAdviceTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private const int Steps = 10;

    private static readonly FederationSettings Settings = new()
    {
        BaseModelDigest = new string('a', 64),
        Directions = new() { SeedCount = 64 },
        StepsPerRound = Steps,
        Epsilon = 1e-3f,
        LearningRate = 0.05,
    };

    [Fact]
    public void The_rate_to_try_makes_a_first_step_go_ten_times_as_far_as_it_looked()
    {
        // Scalars of 25 move 1250 ε at a rate of 0.05; what the moves made of later ones says nothing about the base model.
        var advice = DivergenceAdvice.Of(Log(("a", [25, 9000, 9000]), ("b", [-25, 9000]), ("c", [25, 9000])));

        Assert.StartsWith(
            "Try --learning-rate 0.0004: with 0.05 a client's first step moved the weights 1250 times", advice[0],
            StringComparison.Ordinal);
        Assert.StartsWith("No client stood out: the largest scalars", advice[1], StringComparison.Ordinal);
        Assert.Equal(2, advice.Count);
    }

    [Fact]
    public void A_client_whose_scalars_stand_out_is_named_with_by_how_much()
    {
        var advice = DivergenceAdvice.Of(Log(("a", [2, 2]), ("b", [-2, 2]), ("odd", [30, -30]), ("c", [2, 2])));

        Assert.Contains(
            "Look at the data of odd (its scalars were 15 times the median client's): ", advice[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void An_epsilon_at_which_the_base_model_has_no_loss_is_made_smaller()
    {
        var advice = DivergenceAdvice.Of(Log(("a", []), ("b", []), ("c", [2, 2])));

        Assert.StartsWith(
            "Try --epsilon 0.0001: 2 of 3 assignments on the base model gave no scalar at all", advice[0], StringComparison.Ordinal);
    }

    [Fact]
    public void An_epsilon_that_is_lost_in_rounding_is_made_larger()
    {
        var advice = DivergenceAdvice.Of(Log(("a", [0, 0]), ("b", [0, 1]), ("c", [2, 2])));

        Assert.StartsWith(
            "Try --epsilon 0.01: the first step of 2 of 3 assignments on the base model saw no change", advice[0],
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_log_without_reports_has_no_advice() => Assert.Empty(DivergenceAdvice.Of(Log()));

    private static ScalarsReportedEntry Entry(FederationState state, (string Client, float[] Scalars) report)
    {
        var key = new AssignmentKey(1, report.Client);
        int[] skipped = [.. Enumerable.Range(0, state.Assignments[key].Seeds.Length).Skip(report.Scalars.Length)];
        var accepted = FederationDecisions.Judge(state, new ClientReport(key, 0, 10, report.Scalars, skipped), Start);
        return Assert.IsType<ReportVerdict.Accept>(accepted).Entry;
    }

    /// <summary>A round on the base model, as SeedService writes it.</summary>
    private static List<LogEntry> Log(params (string Client, float[] Scalars)[] reports)
    {
        var state = new FederationState();
        var entries = new List<LogEntry>();
        Append(FederationDecisions.Open(state, Settings));
        Append(FederationDecisions.StartRound(state, 1, reports.Select(report => report.Client), Start));
        Append(FederationDecisions.Commit(state, 1, RoundEnd.Quorum, [.. reports.Select(report => Entry(state, report))], Start));
        return entries;

        void Append(IReadOnlyList<LogEvent> events)
        {
            var written = EventLog.Write(state.Head, Start, events).Entries;
            state = FederationFold.Fold(state, written);
            entries.AddRange(written);
        }
    }
}
