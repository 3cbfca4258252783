using System.Runtime.InteropServices;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Tests;

public class StochasticRoundingTests
{
    private static readonly DirectionSpace Pool = new() { PoolKey = 3, SeedCount = 8 };

    [Theory]
    [InlineData(TensorType.BF16, 0.75f, 1e-5f)]
    [InlineData(TensorType.BF16, -1.5e-3f, 3e-8f)]
    [InlineData(TensorType.F16, 0.75f, 1e-5f)]
    [InlineData(TensorType.F16, -2e-6f, 7e-9f)]
    public void A_step_below_half_an_ulp_is_kept_in_the_mean_of_many_draws(TensorType type, float weight, float step)
    {
        const int count = 1 << 16;
        float[] values = [.. Enumerable.Repeat(weight, count)];
        var stored = new byte[2 * count];
        type.Narrow(values, stored);
        type.Widen(stored, values);
        var start = values[0];
        var direction = Pool.Direction(3, 7);
        StochasticRounding.Advance(direction, step, draw: 5, firstElement: 11, type, stored);
        var moved = new float[count];
        type.Widen(stored, moved);
        float[] nearest = [.. Enumerable.Range(0, count).Select(i => MathF.FusedMultiplyAdd(step, direction.Value(11 + i), values[i]))];
        var rounded = new byte[2 * count];
        type.Narrow(nearest, rounded);
        type.Widen(rounded, nearest);
        Assert.All(nearest, value => Assert.Equal(start, value)); // to nearest nothing would move

        var mean = Enumerable.Range(0, count).Average(i => (moved[i] - (double)start) * direction.Value(11 + i));
        float[] reached = [.. moved.Distinct().Order()]; // the weight and its neighbours
        Assert.InRange(reached.Length, 2, 3);
        var ulp = reached.Zip(reached.Skip(1)).Max(pair => (double)pair.Second - pair.First);
        var deviation = Math.Sqrt(Math.Abs(step) * ulp / count); // of a mean of steps that are one ulp with probability |step| / ulp
        Assert.InRange(mean, step - 5 * deviation, step + 5 * deviation);
    }

    [Fact]
    public void What_the_type_can_hold_exactly_stays_and_what_is_not_finite_is_kept()
    {
        ushort[] weights = [0x0000, 0x8000, 0x0001, 0x03FF, 0x7BFF, 0x7C00, 0xFC00, 0x7E01];
        ushort[] moved = [.. weights];
        StochasticRounding.Advance(
            Pool.Direction(0, 0), step: -0f, draw: 1, firstElement: 0, TensorType.F16, MemoryMarshal.AsBytes(moved.AsSpan()));
        moved[1] |= 0x8000; // −0 plus +0 is +0
        Assert.Equal(weights, moved);
        Assert.Throws<ArgumentException>(() => StochasticRounding.Advance(Pool.Direction(0, 0), 1f, 0, 0, TensorType.F32, new byte[4]));
    }

    [Fact]
    public void Another_draw_and_another_tensor_round_otherwise_and_a_range_in_two_parts_does_not()
    {
        byte[] Moved(int tensor, uint draw, int cut)
        {
            var weights = new byte[512];
            TensorType.BF16.Narrow([.. Enumerable.Repeat(1f, 256)], weights);
            StochasticRounding.Advance(Pool.Direction(1, tensor), 1e-3f, draw, 0, TensorType.BF16, weights.AsSpan(0, 2 * cut));
            StochasticRounding.Advance(Pool.Direction(1, tensor), 1e-3f, draw, cut, TensorType.BF16, weights.AsSpan(2 * cut));
            return weights;
        }

        Assert.Equal(Moved(1, 2, 0), Moved(1, 2, 101));
        Assert.NotEqual(Moved(1, 2, 0), Moved(1, 3, 0));
        Assert.NotEqual(Moved(1, 2, 0), Moved(2, 2, 0));
    }
}
