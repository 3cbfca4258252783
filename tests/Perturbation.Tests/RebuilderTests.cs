using System.Runtime.InteropServices;
using CsCheck;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Tests;

public class RebuilderTests
{
    private static readonly Gen<(DirectionSpace Pool, int[] Quantised, int Shift)> Versions =
        Gen.Select(Gen.ULong, Gen.OneOf(Gen.Int[1, 70], Gen.Int[1, 1500]), PerturbTests.Schemes, Gen.Int[0, 48], Gen.Bool, Gen.Int)
            .Select((key, count, scheme, shift, sparse, seed) => (
                new DirectionSpace { PoolKey = key, SeedCount = count, Scheme = scheme }, Quantised(count, sparse, seed), shift));

    private static readonly
        Gen<(DirectionSpace Pool, int[] Quantised, int Shift, int Tensor, long Start, int Length, TensorType Type)> Cases =
        Gen.Select(
            Versions, Gen.Int[0, int.MaxValue], PerturbTests.Starts, Gen.Int[0, 150],
            Gen.OneOf(Gen.Const(TensorType.F32), Gen.Const(TensorType.F16), Gen.Const(TensorType.BF16)))
        .Select((version, tensor, start, length, type) => (version.Pool, version.Quantised, version.Shift, tensor, start, length, type));

    [Theory]
    [MemberData(nameof(PerturbTests.VectorPaths), MemberType = typeof(PerturbTests))]
    public void Every_vectorised_path_gives_the_bits_of_the_scalar_form(string pathName)
    {
        var path = Enum.Parse<KernelPath>(pathName);
        Cases.Sample(c =>
        {
            byte[] start = Weights(c.Length, c.Type), expected = new byte[start.Length], actual = new byte[start.Length];
            new Rebuilder(KernelPath.Scalar, c.Pool, c.Quantised, c.Shift).Rebuild(c.Tensor, c.Start, c.Type, start, expected);
            new Rebuilder(path, c.Pool, c.Quantised, c.Shift).Rebuild(c.Tensor, c.Start, c.Type, start, actual);
            return expected.AsSpan().SequenceEqual(actual);
        }, iter: 60);
    }

    [Fact]
    public void Neither_threads_nor_ranges_change_a_bit() =>
        Gen.Select(Versions, PerturbTests.Starts, Gen.Int[0, 20_000], Gen.Double[0, 1]).Sample((version, start, length, where) =>
        {
            var rebuilder = new Rebuilder(version.Pool, version.Quantised, version.Shift);
            float[] weights = MemoryMarshal.Cast<byte, float>(Weights(length, TensorType.F32)).ToArray(), whole = new float[length];
            var cut = (int)(where * length);
            rebuilder.Rebuild(3, start, weights, whole);
            rebuilder.Rebuild(3, start, weights.AsSpan(0, cut), weights.AsSpan(0, cut), degreeOfParallelism: 2);
            rebuilder.Rebuild(3, start + cut, weights.AsSpan(cut), weights.AsSpan(cut), degreeOfParallelism: 3);
            return whole.SequenceEqual(weights);
        }, iter: 20);

    [Fact]
    public void The_largest_sums_stay_exact()
    {
        int[] quantised = [int.MaxValue - 5, 5];
        var pool = new DirectionSpace { PoolKey = 9, SeedCount = 2 };
        foreach (var path in KernelPaths.Supported)
        {
            var weights = new float[64];
            new Rebuilder(path, pool, quantised, 40).Rebuild(0, 0, weights, weights);
            for (var i = 0; i < weights.Length; i++)
                Assert.Equal(
                    -(float)((int.MaxValue - 5) * (long)pool.Direction(0, 0).Value(i) + 5 * (long)pool.Direction(1, 0).Value(i)),
                    weights[i]);
        }
    }

    [Fact]
    public void A_version_without_displacement_is_the_base()
    {
        float[] weights = [1f, -2.5f, 0f, 1e-30f];
        var rebuilt = new float[4];
        new Rebuilder(new DirectionSpace { PoolKey = 1, SeedCount = 40 }, new int[40], 0).Rebuild(0, 0, weights, rebuilt);
        Assert.Equal(weights, rebuilt);
    }

    [Fact]
    public void A_version_that_is_not_of_the_pool_is_refused()
    {
        var pool = new DirectionSpace { PoolKey = 1, SeedCount = 2 };
        Assert.Throws<ArgumentException>(() => new Rebuilder(pool, [1, 2, 3], 0));
        Assert.Throws<ArgumentException>(() => new Rebuilder(pool, [int.MaxValue, 1], 0));
        Assert.Throws<ArgumentException>(() => new Rebuilder(pool, [int.MinValue, 0], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Rebuilder(pool, [1, 2], -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Rebuilder(pool, [1, 2], 64));
    }

    private static int[] Quantised(int count, bool sparse, int seed)
    {
        var random = new Random(seed);
        var limit = Math.Min((1 << 19) - 1, int.MaxValue / count);
        return [.. Enumerable.Range(0, count).Select(_ => sparse && random.Next(50) > 0 ? 0 : random.Next(-limit, limit + 1))];
    }

    private static byte[] Weights(int length, TensorType type)
    {
        var random = new Random(length);
        float[] values = [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f)];
        var elements = new byte[length * type.Size()];
        type.Narrow(values, elements);
        return elements;
    }
}
