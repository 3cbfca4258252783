using CsCheck;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Tests;

public class PerturbTests
{
    // Ranks and groups have LowRankTests.
    internal static readonly Gen<string> Schemes = Gen.OneOf(
        Gen.Const(DirectionSchemes.Rademacher), Gen.Const(DirectionSchemes.Gaussian));

    // Starts around 2³² elements and 2³² blocks (where a counter word overflows) are as likely as starts near zero.
    internal static readonly Gen<long> Starts = Gen.OneOf(
        Gen.Long[0, 1000], Gen.Long[(1L << 32) - 600, (1L << 32) + 100], Gen.Long[(1L << 34) - 600, (1L << 34) + 100]);

    private static readonly Gen<
        (DirectionSpace Pool, int Seed, int Next, int Tensor, long Start, int Length, float Size)> Cases = Gen.Select(
        Gen.Select(Gen.ULong, Schemes).Select(
            (key, scheme) => new DirectionSpace { PoolKey = key, SeedCount = Limits.Seeds, Scheme = scheme }),
        Gen.Int[0, Limits.Seeds - 1], Gen.Int[0, Limits.Seeds - 1], Gen.Int[0, int.MaxValue], Starts, Gen.Int[0, 300], Gen.Float[
            -0.1f,
            0.1f]);

    public static TheoryData<string> VectorPaths =>
        new(KernelPaths.Supported.Where(path => path != KernelPath.Scalar).Select(path => path.ToString()));

    [Theory]
    [MemberData(nameof(VectorPaths))]
    public void Every_vectorised_path_gives_the_bits_of_the_scalar_form(string pathName)
    {
        var path = Enum.Parse<KernelPath>(pathName);
        Cases.Sample(c =>
        {
            var expected = Run(
                KernelPath.Scalar, c.Pool.Direction(c.Seed, c.Tensor), c.Pool.Direction(c.Next, c.Tensor), c.Start, c.Length, c.Size);
            var actual = Run(path, c.Pool.Direction(c.Seed, c.Tensor), c.Pool.Direction(c.Next, c.Tensor), c.Start, c.Length, c.Size);
            return expected.Bits.SequenceEqual(actual.Bits);
        }, iter: 300);
    }

    [Fact]
    public void The_fused_step_is_an_advance_followed_by_both_signs() => Cases.Sample(c =>
    {
        (var previous, var next) = (c.Pool.Direction(c.Seed, c.Tensor), c.Pool.Direction(c.Next, c.Tensor));
        float[] apart = Weights(c.Length), fused = Weights(c.Length);
        float[] plus = new float[c.Length], minus = new float[c.Length], fusedPlus = new float[c.Length], fusedMinus = new float[c.Length];
        Perturb.Advance(previous, c.Size, c.Start, apart);
        Perturb.BothSigns(next, 1e-3f, c.Start, apart, plus, minus);
        Perturb.AdvanceThenBothSigns(previous, c.Size, next, 1e-3f, c.Start, fused, fusedPlus, fusedMinus);
        return fused.SequenceEqual(apart) && fusedPlus.SequenceEqual(plus) && fusedMinus.SequenceEqual(minus);
    }, iter: 300);

    [Fact]
    public void A_range_done_in_two_parts_is_the_range_done_at_once() => Gen.Select(Cases, Gen.Double[0, 1]).Sample((c, where) =>
    {
        var direction = c.Pool.Direction(c.Seed, c.Tensor);
        float[] whole = Weights(c.Length), parts = Weights(c.Length);
        var cut = (int)(where * c.Length);
        Perturb.Advance(direction, c.Size, c.Start, whole);
        Perturb.Advance(direction, c.Size, c.Start, parts.AsSpan(0, cut));
        Perturb.Advance(direction, c.Size, c.Start + cut, parts.AsSpan(cut));
        return whole.SequenceEqual(parts);
    }, iter: 300);

    [Fact]
    public void Neither_threads_nor_the_way_past_the_caches_change_a_bit()
    {
        const int length = Perturb.LargeCount + 37, small = 50_001;
        var pool = new DirectionSpace { PoolKey = 5, SeedCount = 64 };
        (var previous, var next) = (pool.Direction(3, 1), pool.Direction(40, 1));
        var start = (4L << 32) - 1000; // across a carry into the counter's second word
        float[] weights = Weights(length), plus = new float[length], minus = new float[length];
        float[] parts = Weights(length), partsPlus = new float[length], partsMinus = new float[length];
        Perturb.AdvanceThenBothSigns(previous, 0.01f, next, 1e-3f, start, weights, plus, minus, 3);
        for (var i = 0; i < length; i += small)
        {
            var part = i..Math.Min(i + small, length);
            Perturb.AdvanceThenBothSigns(
                previous, 0.01f, next, 1e-3f, start + i, parts.AsSpan(part), partsPlus.AsSpan(part), partsMinus.AsSpan(part));
        }

        Assert.True(
            weights.AsSpan().SequenceEqual(parts) && plus.AsSpan().SequenceEqual(partsPlus) && minus.AsSpan().SequenceEqual(partsMinus));
        Perturb.BothSigns(next, 1e-3f, start, weights, partsPlus, partsMinus, 2);
        Assert.True(plus.AsSpan().SequenceEqual(partsPlus) && minus.AsSpan().SequenceEqual(partsMinus));
    }

    [Fact]
    public void Both_signs_differ_from_the_weights_by_one_rounded_operation()
    {
        var direction = new DirectionSpace { PoolKey = 42, SeedCount = 64 }.Direction(33, 5);
        float[] weights = Weights(101), plus = new float[101], minus = new float[101];
        Perturb.BothSigns(direction, 1e-3f, 7, weights, plus, minus);
        for (var i = 0; i < weights.Length; i++)
        {
            Assert.Equal(weights[i] + 1e-3f * direction.Value(7 + i), plus[i]);
            Assert.Equal(weights[i] - 1e-3f * direction.Value(7 + i), minus[i]);
        }

        Assert.Equal(Weights(101), weights);
    }

    [Fact]
    public void Spans_of_different_lengths_are_refused()
    {
        var direction = new DirectionSpace { PoolKey = 1, SeedCount = 1 }.Direction(0, 0);
        Assert.Throws<ArgumentException>(() => Perturb.BothSigns(direction, 1f, 0, new float[4], new float[4], new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Perturb.Advance(direction, 1f, -1, new float[4]));
    }

    [Fact]
    public void Directions_of_different_tensors_are_refused()
    {
        var pool = new DirectionSpace { PoolKey = 1, SeedCount = 2 };
        var w = new float[4];
        Assert.Throws<ArgumentException>(
            () => Perturb.AdvanceThenBothSigns(pool.Direction(0, 0), 1f, pool.Direction(1, 1), 1f, 0, w, new float[4], new float[4]));
    }

    private static Result Run(KernelPath path, Direction previous, Direction next, long start, int length, float size)
    {
        float[] signed = Weights(length), plus = new float[length], minus = new float[length];
        var kernel = previous.Scheme.PerturbKernel(path);
        kernel.BothSigns(previous, size, start, signed, plus, minus, isLarge: false);
        var advanced = Weights(length);
        kernel.Advance(previous, size, start, advanced);
        float[] fused = Weights(length), fusedPlus = new float[length], fusedMinus = new float[length];
        kernel.AdvanceThenBothSigns(previous, size, next, 1e-3f, start, fused, fusedPlus, fusedMinus, isLarge: false);
        return new([.. new[] { signed, plus, minus, advanced, fused, fusedPlus, fusedMinus }.SelectMany(values => values)
            .Select(BitConverter.SingleToUInt32Bits)]);
    }

    private static float[] Weights(int length)
    {
        var random = new Random(length);
        return [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f)];
    }

    private sealed record Result(uint[] Bits);
}
