using System.Globalization;
using System.Text.Json;
using FedKSeed.Contracts;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rates;
using FedKSeed.Tests;
using static FedKSeed.Federation.Tests.Federations;

namespace FedKSeed.Federation.Tests;

/// <summary>Learning rates of clients (SPEC 4): what follows from a log, and what in a log could not be.</summary>
public class ClientRateTests
{
    private static readonly FederationSettings ByLoss = Settings with { ClientRates = ClientRateRule.Loss };

    public static TheoryData<string> Rules => [.. ClientRateRule.All.Select(rule => rule.Name)];

    [Fact]
    public void Factors_are_the_known_answers()
    {
        foreach (var given in Vectors.Json("client_rates.json").EnumerateArray())
        {
            var values = Doubles(given.GetProperty("values"));
            var examples = given.GetProperty("examples").EnumerateArray().Select(count => count.GetInt32()).ToArray();
            var spread = given.GetProperty("spread").GetDouble();
            Assert.Equal(Doubles(given.GetProperty("fedmezo")), ClientRateForm.FedMeZO.Factors(values, examples, spread));
            Assert.Equal(Doubles(given.GetProperty("proportional")), ClientRateForm.Proportional.Factors(values, examples, spread));
        }
    }

    [Fact]
    public void The_assignments_after_a_commit_have_the_known_factors_of_the_losses_that_it_took_in()
    {
        foreach (var given in Vectors.Json("client_rates.json").EnumerateArray())
        {
            var examples = given.GetProperty("examples").EnumerateArray().Select(count => count.GetInt32()).ToArray();
            var losses = Doubles(given.GetProperty("values"));
            foreach (var (form, known) in new[] { (ClientRateForm.FedMeZO, "fedmezo"), (ClientRateForm.Proportional, "proportional") })
            {
                var settings = ByLoss with { ClientRateForm = form, ClientRateSpread = given.GetProperty("spread").GetDouble() };
                var clients = losses.Select((_, k) => $"client-{k}").ToArray();
                var state = Started(settings, clients);
                state = Committed(
                    state, clients.Select((client, k) => ReportOf(state, 1, client) with
                    {
                        Examples = examples[k],
                        MeanLoss = (float)losses[k],
                    }));
                state = state.Then(state => FederationDecisions.StartRound(state, 2, clients, Start));
                foreach (var (client, factor) in clients.Zip(Doubles(given.GetProperty(known))))
                    Assert.Equal(settings.LearningRateOf(2) * factor, RateOf(state, client), 1e-6 * settings.LearningRate);
            }
        }
    }

    [Fact]
    public void Losses_of_one_two_and_three_give_half_one_and_one_and_a_half_of_the_learning_rate()
    {
        var settings = ByLoss with { LearningRate = 1e-5, Schedule = Rounds.LearningRateSchedule.Constant };
        var state = AfterLosses(settings, [("a", 1), ("b", 2), ("c", 3)]);
        foreach (var (client, rate) in new[] { ("a", 0.5e-5), ("b", 1e-5), ("c", 1.5e-5) })
            Assert.Equal(rate, RateOf(state, client), 1e-18);
    }

    [Fact]
    public void A_client_without_a_history_has_the_rate_of_its_round()
    {
        var state = Committed(Started(ByLoss, "a", "b"), [("a", 1), ("b", 2)]);
        state = state.Then(state => FederationDecisions.StartRound(state, 2, ["a", "newcomer"], Start));
        Assert.Equal(ByLoss.LearningRateOf(2), RateOf(state, "newcomer"));
        Assert.Equal(0.5 * ByLoss.LearningRateOf(2), RateOf(state, "a"));
    }

    [Fact]
    public void A_window_takes_the_mean_of_a_clients_last_reports()
    {
        var settings = ByLoss with { ClientRateWindow = 2, ClientRateForm = ClientRateForm.Proportional };
        var state = Started(settings, "a", "b");
        foreach (var (round, a) in new[] { (1, 9f), (2, 1f), (3, 3f) })
        {
            state = Committed(state, [("a", a), ("b", 4)]);
            state = state.Then(state => FederationDecisions.StartRound(state, round + 1, ["a", "b"], Start));
        }
        Assert.Equal([1, 3], state.Histories.ByClient["a"].Values);
        // 2 and 4, of as many examples each: the mean is 3.
        Assert.Equal(settings.LearningRateOf(4) * (1 + 0.5 * (2.0 / 3 - 1)), RateOf(state, "a"), 1e-15);
        Assert.Equal(settings.LearningRateOf(4) * (1 + 0.5 * (4.0 / 3 - 1)), RateOf(state, "b"), 1e-15);
    }

    [Fact]
    public void Drift_is_the_distance_of_a_clients_contributions_from_the_mean_of_its_commit()
    {
        var settings = Settings with { ClientRates = ClientRateRule.Drift };
        string[] clients = ["a", "b", "c", "d"];
        var state = Started(settings, clients);
        var reports = clients.Select((client, k) => ReportOf(state, 1, client, MathF.Pow(-3, k))).ToArray();
        // By definition, over dense vectors.
        var moves = reports.Select(report => Dense(state.Assignments[report.Key], report.Scalars.Span[0])).ToArray();
        var distances = moves.Select(move => Math.Sqrt(Enumerable.Range(0, 64).Sum(
            seed => Math.Pow(move[seed] - moves.Average(other => other[seed]), 2)))).ToArray();
        var furthest = distances.Max(distance => Math.Abs(distance - distances.Average()));

        state = Committed(state, reports).Then(state => FederationDecisions.StartRound(state, 2, clients, Start));

        foreach (var (client, distance) in clients.Zip(distances))
        {
            Assert.Equal(distance, state.Histories.ByClient[client].Values.Single(), 1e-9 * distance);
            var factor = 1 + 0.5 * (distance - distances.Average()) / furthest;
            Assert.Equal(settings.LearningRateOf(2) * factor, RateOf(state, client), 1e-12);
        }
    }

    [Fact]
    public void Random_rates_follow_from_pool_key_round_and_client_and_fill_the_spread()
    {
        string[] clients = [.. Enumerable.Range(0, 1000).Select(k => $"client-{k:0000}")];
        var settings = Settings with { ClientRates = ClientRateRule.Random, ClientRateSpread = 0.25 };
        double[] Factors(FederationSettings of, int round) =>
            [.. clients.Select(client => of.ClientRates.FactorOf(of, ClientHistories.None, new AssignmentKey(round, client)))];
        var factors = Factors(settings, 1);
        Assert.Equal(factors, Factors(settings, 1));
        Assert.NotEqual(factors, Factors(settings, 2));
        Assert.NotEqual(factors, Factors(settings with { Directions = settings.Directions with { PoolKey = 2 } }, 1));
        Assert.All(factors, factor => Assert.InRange(factor, 0.75, 1.25));
        Assert.Equal(1, factors.Average(), 0.02);
        Assert.InRange(factors.Min(), 0.75, 0.76);
        Assert.InRange(factors.Max(), 1.24, 1.25);
        Assert.Equal(factors[7] * settings.LearningRateOf(1), RateOf(Started(settings, clients), clients[7]));
    }

    [Theory, MemberData(nameof(Rules))]
    public void A_learning_rate_that_was_not_due_is_found_at_its_entry(string rule)
    {
        var settings = Settings with { ClientRates = Federation.Rules.Find<ClientRateRule>(rule)! };
        var contents = Run(settings, "a", "b", "c").Select(Chain.ContentOf).ToArray();
        // Of the client that is furthest from the others, in the last round.
        var at = Array.FindLastIndex(contents, content => content.Contains("SeedsAssigned", StringComparison.Ordinal));
        var entry = JsonDocument.Parse(contents[at] + "}").RootElement.GetProperty("event");
        var rate = entry.GetProperty("learningRate").GetRawText();
        foreach (var share in new[] { 1.001, 0.5, 1.5 })
        {
            var forged = contents.ToArray();
            var other = (entry.GetProperty("learningRate").GetDouble() * share).ToString("R", CultureInfo.InvariantCulture);
            forged[at] = contents[at].Replace($"\"learningRate\":{rate}", $"\"learningRate\":{other}", StringComparison.Ordinal);
            Assert.NotEqual(contents[at], forged[at]);
            var refusal = Assert.Throws<InvalidEntryException>(() => Fold(Chain.Rehash(forged)));
            Assert.Equal(at, refusal.Sequence);
            Assert.Contains("learning rate of c in round 4", refusal.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_mean_loss_that_was_changed_makes_the_next_learning_rates_wrong()
    {
        var contents = Run(ByLoss, "a", "b", "c").Select(Chain.ContentOf).ToArray();
        var at = Array.FindIndex(contents, content => content.Contains("\"meanLoss\":", StringComparison.Ordinal));
        var loss = JsonDocument.Parse(contents[at] + "}").RootElement.GetProperty("event").GetProperty("meanLoss").GetRawText();
        contents[at] = contents[at].Replace($"\"meanLoss\":{loss}", "\"meanLoss\":9.5", StringComparison.Ordinal);
        var refusal = Assert.Throws<InvalidEntryException>(() => Fold(Chain.Rehash(contents)));
        Assert.Contains("learning rate", refusal.Reason, StringComparison.Ordinal);
        Assert.True(refusal.Sequence > at);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(-0.5f)]
    [InlineData(1.1e6f)]
    [InlineData(null)]
    public void A_mean_loss_that_is_none_is_refused_with_the_reason(float? loss)
    {
        var state = Started(ByLoss, "a");
        var report = ReportOf(state, 1, "a") with { MeanLoss = loss };
        Assert.Contains(
            "mean loss", Assert.IsType<ReportVerdict.Refuse>(FederationDecisions.Judge(state, report, Start)).Reason,
            StringComparison.Ordinal);
        // Nor does a log hold it, whoever wrote that.
        var entry = Accepted(state, report with { MeanLoss = 1 }) with { MeanLoss = loss };
        Assert.ThrowsAny<Exception>(() => state.Then(_ => [entry]));
    }

    [Fact]
    public void A_mean_loss_that_nobody_asked_for_is_refused()
    {
        var state = Started(Settings with { ClientRates = ClientRateRule.Drift }, "a");
        var report = ReportOf(state, 1, "a") with { MeanLoss = 1 };
        Assert.IsType<ReportVerdict.Refuse>(FederationDecisions.Judge(state, report, Start));
        Assert.Null(Accepted(state, report with { MeanLoss = null }).MeanLoss);
    }

    [Fact]
    public void A_report_whose_steps_all_failed_has_no_mean_loss_and_leaves_its_clients_history_as_it_was()
    {
        var state = AfterLosses(ByLoss, [("a", 1), ("b", 2)]);
        var failed = ReportOf(state, 2, "a") with { Scalars = Array.Empty<float>(), SkippedSteps = [0, 1, 2, 3, 4] };
        Assert.IsType<ReportVerdict.Refuse>(FederationDecisions.Judge(state, failed with { MeanLoss = 3 }, Start));
        state = Committed(state, [failed, ReportOf(state, 2, "b") with { MeanLoss = 1.5f }]);
        Assert.Equal([1], state.Histories.ByClient["a"].Values);
        Assert.Equal([1.5], state.Histories.ByClient["b"].Values);
    }

    [Fact]
    public void Settings_that_say_nothing_of_client_rates_and_dropout_read_as_before_there_were_any()
    {
        var text = SettingsJson.Canonical(Settings);
        foreach (var name in new[] { "clientRate", "dropout" })
            Assert.DoesNotContain(name, text, StringComparison.OrdinalIgnoreCase);

        var said = Settings with
        {
            ClientRates = ClientRateRule.Drift,
            ClientRateForm = ClientRateForm.Proportional,
            ClientRateSpread = 0.75,
            ClientRateWindow = 5,
            Dropout = 0.3,
        };
        foreach (var member in new[]
        {
            "\"clientRates\":\"Drift\"", "\"clientRateForm\":\"Proportional\"", "\"clientRateSpread\":0.75", "\"clientRateWindow\":5",
            "\"dropout\":0.3",
        })
            Assert.Contains(member, SettingsJson.Canonical(said), StringComparison.Ordinal);
        Assert.Equal(said, JsonSerializer.Deserialize<FederationSettings>(SettingsJson.Canonical(said), EventLog.Json));
    }

    [Theory]
    [InlineData("None", "FedMeZO", 0.5, 1)]
    [InlineData("Random", "Proportional", 0.5, 1.5)]
    [InlineData("Loss", "FedMeZO", 0.25, 1.25)]
    [InlineData("Drift", "Proportional", 0.25, 4)]
    public void The_bound_on_a_steps_contribution_knows_the_largest_factor(string rule, string form, double spread, double largest)
    {
        var settings = Settings with
        {
            ClientRates = Federation.Rules.Find<ClientRateRule>(rule)!,
            ClientRateForm = Federation.Rules.Find<ClientRateForm>(form)!,
            ClientRateSpread = spread,
            LearningRate = 1,
            MaximumScalar = Limits.Contribution / largest,
        };
        Assert.Empty(settings.Faults());
        var fault = Assert.Single((settings with { MaximumScalar = settings.MaximumScalar * 1.001 }).Faults());
        Assert.Contains("1024", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-0.1)]
    [InlineData(1.01)]
    [InlineData(double.NaN)]
    public void A_spread_that_would_turn_a_client_back_is_a_fault(double spread) => Assert.Contains(
        "ClientRateSpread", Assert.Single((ByLoss with { ClientRateSpread = spread }).Faults()), StringComparison.Ordinal);

    [Theory, MemberData(nameof(Rules))]
    public void A_checkpoint_holds_what_the_next_learning_rates_go_by(string rule)
    {
        var settings = Settings with { ClientRates = Federation.Rules.Find<ClientRateRule>(rule)!, ClientRateWindow = 3, Rounds = 5 };
        var log = Run(settings, "a", "b", "c");
        var last = log.FindLastIndex(line => line.Contains("RoundCommitted", StringComparison.Ordinal));
        var state = Fold(log[..(last + 1)]);
        var text = StateCheckpoint.Write(state);
        var read = StateCheckpoint.Read(text);
        Assert.Equal(text, StateCheckpoint.Write(read));
        foreach (var client in new[] { "a", "b", "c", "d" })
            Assert.Equal(
                FederationDecisions.Draw(state, new AssignmentKey(6, client)).LearningRate,
                FederationDecisions.Draw(read, new AssignmentKey(6, client)).LearningRate);
    }

    private static FederationState Started(FederationSettings settings, params string[] clients) =>
        Open(settings).Then(state => FederationDecisions.StartRound(state, 1, clients, Start));

    private static FederationState AfterLosses(FederationSettings settings, (string Client, float Loss)[] losses)
    {
        string[] clients = [.. losses.Select(item => item.Client)];
        return Committed(Started(settings, clients), losses).Then(state => FederationDecisions.StartRound(state, 2, clients, Start));
    }

    private static FederationState Committed(FederationState state, (string Client, float Loss)[] losses) => Committed(
        state, losses.Select(item => ReportOf(state, state.Round!.Number, item.Client) with { MeanLoss = item.Loss }));

    private static FederationState Committed(FederationState state, IEnumerable<ClientReport> reports) => state.Then(
        state => FederationDecisions.Commit(
            state, state.Round!.Number, RoundEnd.Quorum, reports.Select(report => Accepted(state, report)).ToArray(), Start));

    private static double RateOf(FederationState state, string client) =>
        state.Assignments[new AssignmentKey(state.Round!.Number, client)].LearningRate;

    private static double[] Dense(Assignment assignment, float scalar)
    {
        var dense = new double[64];
        foreach (var seed in assignment.Seeds.Span)
            dense[seed] += Accumulators.Contribution(assignment.LearningRate, scalar);
        return dense;
    }

    private static double[] Doubles(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetDouble())];
}
