using FedKSeed.Federation;

namespace FedKSeed.Experiments.Tests;

public sealed class ProgressTests
{
    private static readonly Experiment Two = new(
        "two", "Which?", new FederationSettings(),
        [
            new Arm("first", settings => settings) { Rates = [0.1, 0.2, 0.4] },
            new Arm("second", settings => settings with { Dropout = 0.3 }) { RateOf = "first" },
        ],
        Keys: 2);

    [Fact]
    public void Rates_are_tried_with_the_first_key_and_the_best_goes_on_with_the_others()
    {
        List<(string Arm, int Key, double Rate)> order = [];
        List<Outcome> outcomes = [];
        while (new Progress(Two, outcomes).Next() is { } due)
        {
            order.Add((due.Arm.Name, due.Key, due.Rate));
            outcomes.Add(OutcomeOf(due, loss: Math.Abs(due.Rate - 0.2) + 1));
        }

        Assert.Equal(
            [
                ("first", 1, 0.1), ("first", 1, 0.2), ("first", 1, 0.4), ("first", 2, 0.2), ("second", 1, 0.2), ("second", 2, 0.2),
            ], order);
        var progress = new Progress(Two, outcomes);
        Assert.Equal((6, 6), (progress.Done, progress.Total));
        Assert.Equal([1, 2], progress.Of(Two.Arms[0]).Select(outcome => outcome.Key));
    }

    [Fact]
    public void A_rate_that_diverged_is_never_the_best()
    {
        List<Outcome> outcomes = [];
        foreach (var rate in Two.Arms[0].Rates)
            outcomes.Add(OutcomeOf(new DueRun(Two.Arms[0], 1, rate), rate < 0.3 ? null : 9));

        Assert.Equal(0.4, new Progress(Two, outcomes).BestRate(Two.Arms[0]));
    }

    [Fact]
    public void What_a_folder_holds_of_other_rounds_or_rates_is_not_taken_for_what_is_due()
    {
        var first = new DueRun(Two.Arms[0], 1, 0.1);
        var progress = new Progress(
            Two, [OutcomeOf(first, 1, rounds: 1), OutcomeOf(first with { Rate = 0.3 }, 1), OutcomeOf(first with { Rate = 0.2 }, 1)]);

        Assert.Equal(first, progress.Next());
        Assert.Equal(1, progress.Done);
    }

    [Fact]
    public void A_run_has_its_key_its_rate_and_what_its_arm_changes()
    {
        var settings = Two.SettingsOf(new DueRun(Two.Arms[1], 2, 0.4));

        Assert.Equal((2UL, 0.4, 0.3), (settings.Directions.PoolKey, settings.LearningRate, settings.Dropout));
    }

    [Fact]
    public void Every_run_of_every_experiment_has_sound_settings()
    {
        foreach (var experiment in Experiment.All)
            foreach (var arm in experiment.Arms)
                foreach (var rate in arm.RateOf is { } other ? experiment.Arms.First(one => one.Name == other).Rates : arm.Rates)
                    Assert.Empty((experiment.SettingsOf(new DueRun(arm, 1, rate)) with { BaseModelDigest = new string('0', 64) }).Faults());
    }

    internal static Outcome OutcomeOf(DueRun due, double? loss, int rounds = 60) =>
        new(due.Arm.Name, due.Key, due.Rate, rounds, loss, 0.5, null, 100, 1000, 2000, 0.01, 0.1, 20, "00");
}
