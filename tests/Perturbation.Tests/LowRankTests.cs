using System.Globalization;
using System.Runtime.InteropServices;
using CsCheck;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.Perturbation.Tests;

public class LowRankTests
{
    private static readonly Gen<int> Ranks = Gen.OneOf(Gen.Const(0), Gen.Const(1), Gen.Const(2), Gen.Const(4));

    // Narrow, not a multiple of anything, and wider than a tile; rows from the first ones on and around 2³².
    private static readonly Gen<int> Columns = Gen.OneOf(Gen.Int[1, 20], Gen.Int[30, 200], Gen.Int[500, 1300]);
    private static readonly Gen<long> Rows = Gen.OneOf(Gen.Long[0, 50], Gen.Long[(1L << 32) - 5, (1L << 32) + 5]);

    private static readonly Gen<(DirectionSpace Space, int Tensor, int Columns, long Start, int Length, int Seed)> Cases = Gen.Select(
        Gen.Select(Gen.ULong, Gen.OneOf(Gen.Int[1, 70], Gen.Int[100, 300]), Ranks, Gen.Int[-16, 16], Gen.Int[0, int.MaxValue]),
        Columns, Rows, Gen.Int[0, 1299], Gen.Int[0, 9000], Gen.Int)
        .Select((of, columns, row, column, length, seed) => (
            Space(of.Item1, of.Item2, of.Item5, of.Item4, of.Item3), of.Item5, columns,
            row * columns + column % columns, Math.Min(length, columns * 12), seed));

    [Fact]
    public void Elements_are_those_of_the_vectors()
    {
        var ranks = new HashSet<int>();
        foreach (var known in Vectors.Json("rank.json").EnumerateArray())
        {
            var key = ulong.Parse(known.GetProperty("pool_key").GetString()!, CultureInfo.InvariantCulture);
            var rank = known.GetProperty("rank").GetInt32();
            var space = Space(key, Limits.Seeds, known.GetProperty("tensor").GetInt32(), 0, rank);
            (var row, var column) = (known.GetProperty("row").GetInt64(), known.GetProperty("column").GetInt64());
            var columns = column + 1 + row % 3;
            var direction = space.Direction(known.GetProperty("seed").GetInt32(), known.GetProperty("tensor").GetInt32(), columns);
            Assert.Equal(known.GetProperty("z").GetInt32(), direction.Value(row * columns + column));
            ranks.Add(rank);
        }

        Assert.Equal([1, 2, 4], ranks.Order());
    }

    [Theory]
    [MemberData(nameof(PerturbTests.VectorPaths), MemberType = typeof(PerturbTests))]
    public void Every_vectorised_path_rebuilds_the_bits_of_the_scalar_form(string pathName) => Cases.Sample(c =>
    {
        var path = Enum.Parse<KernelPath>(pathName);
        (var quantised, var length) = (Quantised(c.Space, c.Seed), Math.Min(c.Length, 2500));
        float[] start = Weights(length), expected = new float[length], actual = new float[length];
        new Rebuilder(KernelPath.Scalar, c.Space, quantised, 12).Rebuild(c.Tensor, c.Start, start, expected, columns: c.Columns);
        new Rebuilder(path, c.Space, quantised, 12).Rebuild(c.Tensor, c.Start, start, actual, 2, c.Columns);
        return Bits(expected).SequenceEqual(Bits(actual));
    }, iter: 60);

    [Theory]
    [MemberData(nameof(PerturbTests.VectorPaths), MemberType = typeof(PerturbTests))]
    public void Every_vectorised_path_perturbs_to_the_bits_of_the_scalar_form(string pathName) => Cases.Sample(c =>
    {
        var (path, last) = (Enum.Parse<KernelPath>(pathName), c.Space.SeedCount - 1);
        Direction previous = c.Space.Direction(0, c.Tensor, c.Columns), next = c.Space.Direction(last, c.Tensor, c.Columns);
        return Run(PerturbScalar.Instance).SequenceEqual(Run(next.Scheme.PerturbKernel(path)));

        uint[] Run(IPerturbKernel kernel)
        {
            float[] weights = Weights(c.Length), plus = new float[c.Length], minus = new float[c.Length];
            kernel.AdvanceThenBothSigns(previous, -0.03f, next, 1e-3f, c.Start, weights, plus, minus, isLarge: false);
            return [.. Bits(weights), .. Bits(plus), .. Bits(minus)];
        }
    }, iter: 200);

    [Fact]
    public void Neither_threads_nor_ranges_change_a_bit() => Gen.Select(Cases, Gen.Double[0, 1]).Sample((c, where) =>
    {
        var rebuilder = new Rebuilder(c.Space, Quantised(c.Space, c.Seed), 12);
        float[] weights = Weights(c.Length), whole = new float[c.Length];
        var cut = (int)(where * c.Length);
        rebuilder.Rebuild(c.Tensor, c.Start, weights, whole, columns: c.Columns);
        rebuilder.Rebuild(c.Tensor, c.Start, weights.AsSpan(0, cut), weights.AsSpan(0, cut), 2, c.Columns);
        rebuilder.Rebuild(c.Tensor, c.Start + cut, weights.AsSpan(cut), weights.AsSpan(cut), 3, c.Columns);
        return Bits(whole).SequenceEqual(Bits(weights));
    }, iter: 60);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void The_largest_sums_of_a_rank_stay_exact_and_larger_ones_are_refused(int rank)
    {
        var space = Space(9, 2, 0, 0, rank);
        int[] quantised = [int.MaxValue / rank - 5, 5];
        foreach (var path in KernelPaths.Supported)
        {
            var weights = new float[6 * 40];
            new Rebuilder(path, space, quantised, 40).Rebuild(0, 0, weights, weights, columns: 40);
            for (var i = 0; i < weights.Length; i++)
            {
                double sum = 0;
                for (var seed = 0; seed < 2; seed++)
                    sum += quantised[seed] * (double)space.Direction(seed, 0, 40).Value(i);
                Assert.Equal(-(float)sum * (rank == 4 ? 0.5f : 1f), weights[i]);
            }
        }

        Assert.Throws<ArgumentException>(() => new Rebuilder(space, [int.MaxValue / rank - 5, 6 + int.MaxValue % rank], 40));
    }

    [Fact]
    public void A_scale_makes_steps_moves_and_versions_so_many_times_as_large()
    {
        (var plain, var scaled) = (Space(4, 3, 7, 0, 2), Space(4, 3, 7, 5, 2));
        float[] zero = new float[100], plus = new float[100], minus = new float[100], scaledPlus = new float[100];
        Perturb.BothSigns(plain.Direction(1, 7, 10), 0.5f, 0, zero, plus, minus);
        Perturb.BothSigns(scaled.Direction(1, 7, 10), 0.5f, 0, zero, scaledPlus, minus);
        Assert.Equal(plus.Select(value => 32 * value), scaledPlus);
        float[] moved = new float[100], rebuilt = new float[100];
        Perturb.Advance(scaled.Direction(1, 7, 10), -0.5f, 0, moved);
        new Rebuilder(scaled, [0, 1, 0], 39).Rebuild(7, 0, zero, rebuilt, columns: 10);
        Assert.Equal(moved, rebuilt);
        Assert.Equal(scaledPlus.Select(value => -value), moved);
    }

    [Fact]
    public void A_matrix_whose_columns_are_not_said_is_refused_and_so_is_a_space_that_is_not_resolved()
    {
        var space = Space(4, 3, 7, 0, 2);
        Assert.Throws<ArgumentOutOfRangeException>(() => space.Direction(0, 7));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Rebuilder(space, new int[3], 0).Rebuild(7, 0, [1f], new float[1]));
        Assert.Throws<ArgumentException>(() => new Rebuilder(space with { Tensors = null }, new int[3], 0));
    }

    private static DirectionSpace Space(ulong key, int seeds, int tensor, int scale, int rank) => new()
    {
        PoolKey = key,
        SeedCount = seeds,
        Scheme = DirectionSchemes.LowRank,
        Tensors = [new TrainedTensor(tensor, scale, rank)],
    };

    private static int[] Quantised(DirectionSpace space, int seed)
    {
        var random = new Random(seed);
        var limit = QuantisedAccumulators.Limit(space.SeedCount, space.LargestRank);
        return [.. Enumerable.Range(0, space.SeedCount).Select(_ => random.Next(9) == 0 ? 0 : random.Next(-limit, limit + 1))];
    }

    private static float[] Weights(int length)
    {
        var random = new Random(length);
        return [.. Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f)];
    }

    private static uint[] Bits(float[] values) => MemoryMarshal.Cast<float, uint>(values).ToArray();
}
