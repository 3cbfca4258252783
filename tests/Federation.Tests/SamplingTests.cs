using CsCheck;
using FedKSeed.Contracts;
using FedKSeed.Federation.Sampling;

namespace FedKSeed.Federation.Tests;

public class SamplingTests
{
    [Fact]
    public void The_same_assignment_draws_the_same_seeds_and_others_draw_others()
    {
        var pool = SeedDistribution.Uniform(4096);
        Assert.Equal(pool.Draw(7, new AssignmentKey(3, "a"), 200), pool.Draw(7, new AssignmentKey(3, "a"), 200));
        Assert.NotEqual(pool.Draw(7, new AssignmentKey(3, "a"), 200), pool.Draw(7, new AssignmentKey(3, "b"), 200));
        Assert.NotEqual(pool.Draw(7, new AssignmentKey(3, "a"), 200), pool.Draw(7, new AssignmentKey(4, "a"), 200));
        Assert.NotEqual(pool.Draw(7, new AssignmentKey(3, "a"), 200), pool.Draw(7, new AssignmentKey(3, "a", 1), 200));
        Assert.NotEqual(pool.Draw(7, new AssignmentKey(3, "a"), 200), pool.Draw(8, new AssignmentKey(3, "a"), 200));
    }

    /// <summary>From an independent implementation of docs/PROTOCOL.md. A change of these breaks every log that was ever written.</summary>
    [Fact]
    public void Draws_are_the_known_ones() =>
        Assert.Equal(
            [3372, 3567, 2977, 607, 2769, 1895, 2642, 837], SeedDistribution.Uniform(4096).Draw(1, new AssignmentKey(1, "client-1"), 8));

    [Fact]
    public void A_longer_assignment_begins_like_a_shorter_one()
    {
        var pool = SeedDistribution.Uniform(1000);
        Assert.Equal(pool.Draw(1, new AssignmentKey(1, "a"), 10), pool.Draw(1, new AssignmentKey(1, "a"), 25)[..10]);
    }

    [Fact]
    public void Uniform_draws_hit_every_seed_alike()
    {
        var counts = new int[16];
        foreach (var seed in SeedDistribution.Uniform(16).Draw(1, new AssignmentKey(1, "a"), 16_000))
            counts[seed]++;
        // Chi-squared with 15 degrees of freedom stays below 37.7 in 999 of 1000 cases; the draw is fixed, so this cannot flicker.
        Assert.True(counts.Sum(count => (count - 1000.0) * (count - 1000.0) / 1000) < 37.7);
    }

    [Fact]
    public void A_seed_with_larger_scalars_is_drawn_up_to_e_times_as_often_as_the_least()
    {
        var importance = Importance.None(4).Add([(new ushort[] { 0, 1, 1 }, new float[] { 4f, 1f, -3f })], clip: 10);
        var distribution = SamplingRule.Importance.Distribution(importance);
        Assert.Equal(2, importance.Mean(1));
        Assert.Equal(Math.E, distribution.ProbabilityOf(0) / distribution.ProbabilityOf(3), 9);
        Assert.Equal(Math.Exp(0.5), distribution.ProbabilityOf(1) / distribution.ProbabilityOf(2), 9);
    }

    [Fact]
    public void Without_history_importance_draws_as_uniform_does() =>
        Assert.Equal(
            SeedDistribution.Uniform(64).Draw(5, new AssignmentKey(2, "a"), 50),
            SamplingRule.Importance.Distribution(Importance.None(64)).Draw(5, new AssignmentKey(2, "a"), 50));

    [Fact]
    public void Amplitudes_are_clipped() =>
        Assert.Equal(2, Importance.None(1).Add([(new ushort[] { 0 }, new float[] { -50f })], clip: 2).Mean(0));

    [Fact]
    public void Probabilities_add_up_to_one() =>
        Gen.Float[-20, 20].Array[1, 40].Sample(scalars =>
        {
            var seeds = scalars.Select((_, k) => (ushort)(k % 16)).ToArray();
            var distribution = SamplingRule.Importance.Distribution(Importance.None(16).Add([(seeds, scalars)], 10));
            Assert.Equal(1, Enumerable.Range(0, 16).Sum(distribution.ProbabilityOf), 12);
        });
}
