using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using CsCheck;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.Perturbation.Tests.Cuda;

/// <summary>Ranks, scales and frozen tensors (SPEC 8 and 9).</summary>
public abstract partial class KernelTests
{
    private static readonly Gen<int> Ranks = Gen.OneOf(Gen.Const(1), Gen.Const(2), Gen.Const(4));

    // A rank of −1 is a frozen tensor. Narrow matrices, ones of no multiple of anything, and rows around 2³².
    private static readonly Gen<(int Rank, int Scale)> Groups = Gen.Select(Gen.OneOf(Gen.Const(-1), Gen.Const(0), Ranks), Gen.Int[-16, 16]);
    private static readonly Gen<(int Columns, long Start)> Places = Gen.Select(
        Gen.OneOf(Gen.Int[1, 20], Gen.Int[30, 200]), Gen.OneOf(Gen.Long[0, 50], Gen.Long[(1L << 32) - 5, (1L << 32) + 5]), Gen.Int[0, 199])
        .Select((columns, row, column) => (columns, row * columns + column % columns));

    public static TheoryData<string> GroupedModels => TensorGroupTests.Models;

    [Theory]
    [InlineData("plain", 30)]
    [InlineData("tensor cores", 40)]
    public void A_rebuild_of_groups_gives_the_bits_of_the_CPU(string form, int iterations)
    {
        Assert.SkipUnless(form == "plain" || _device.HasBinaryTensorCores, "This card has no binary tensor cores.");
        Gen.Select(
            Gen.Select(Gen.ULong, Gen.OneOf(Gen.Int[1, 70], Gen.Int[200, 600]), Gen.Int[0, 30]),
            Groups, Tensors, Places, Gen.Int[0, 600], Types, Types, Gen.Int)
            .Sample((version, group, tensor, place, length, baseType, targetType, seed) =>
            {
                (var key, var count, var bits) = version;
                var pool = Pool(DirectionSchemes.LowRank, key, count, tensor, group);
                var quantised = Quantised(count * pool.LargestRank, bits, seed).AsSpan(0, count);
                var weights = Weights(length, baseType, seed);
                Rebuilder rebuilder = new(KernelPath.Scalar, pool, quantised, 20);
                var wide = Widened(weights, baseType);
                rebuilder.Rebuild(tensor, place.Start, wide, wide, columns: place.Columns);
                using DeviceRebuilder device = new(_device, rebuilder, form == "plain" ? RebuildForm.Plain : RebuildForm.TensorCores);
                var actual = OnDevice(weights, length * targetType.Size(), (source, target) =>
                    device.Rebuild(tensor, place.Start, length, baseType, source, targetType, target, place.Columns));
                Assert.Equal(Narrowed(wide, targetType), actual);
            }, iter: iterations, threads: 1);
    }

    /// <summary>More rows than a launch does, and tables of one tensor after another's.</summary>
    [Fact]
    public void A_matrix_of_many_rows_is_rebuilt_a_number_of_them_at_a_time()
    {
        const int columns = 3, length = 2100 * columns;
        DirectionSpace pool = new()
        {
            PoolKey = 3,
            SeedCount = 40,
            Scheme = DirectionSchemes.LowRank,
            Tensors = [new(2, 0, 1), new(5, 1, 4), new(6, 0, 1)],
        };
        Rebuilder rebuilder = new(pool, Quantised(pool.SeedCount * pool.LargestRank, 20, seed: 4).AsSpan(0, pool.SeedCount), 20);
        using DeviceRebuilder device = new(_device, rebuilder);
        var weights = Weights(length, TensorType.F32, seed: 5);
        foreach ((var tensor, var first) in ((int, int)[])[(2, 0), (5, 0), (6, 7), (2, 4), (5, 3000)])
        {
            var expected = Widened(weights, TensorType.F32).AsSpan(first).ToArray();
            rebuilder.Rebuild(tensor, first, expected, expected, columns: columns);
            var actual = OnDevice(weights, 4 * expected.Length, (source, target) => device.Rebuild(
                tensor, first, expected.Length, TensorType.F32, source + 4 * first, TensorType.F32, target, columns));
            Assert.Equal(Narrowed(expected, TensorType.F32), actual);
        }
    }

    [Theory]
    [MemberData(nameof(GroupedModels))]
    public void A_model_of_groups_has_the_known_bytes(string model)
    {
        var known = Vectors.Json("groups.json").GetProperty(model);
        using var source = Checkpoint.Open(Vectors.Path("models", model));
        var space = TensorGroupTests.Space(known).Resolve(source);
        using DeviceRebuilder device = new(
            _device, new Rebuilder(space, known.GetProperty("quantised").Deserialize<int[]>(), known.GetProperty("shift").GetInt32()));
        foreach (var tensor in source.Weights.Where(tensor => tensor != source.TiedHead?.Head))
        {
            var bytes = tensor.Bytes(0, checked((int)(tensor.ElementCount * tensor.Type.Size()))).ToArray();
            var rebuilt = OnDevice(bytes, bytes.Length, (from, to) => device.Rebuild(
                tensor.Ordinal!.Value, 0, tensor.ElementCount, tensor.Type, from, tensor.Type, to, tensor.Columns));
            Assert.Equal(
                known.GetProperty("sha256").GetProperty(tensor.Name).GetString(), Convert.ToHexStringLower(SHA256.HashData(rebuilt)));
        }
    }

    [Theory]
    [InlineData(DirectionSchemes.Rademacher)]
    [InlineData(DirectionSchemes.Gaussian)]
    [InlineData(DirectionSchemes.LowRank)]
    public void Groups_are_perturbed_to_the_bits_of_the_CPU(string scheme)
    {
        foreach (var type in WeightTypes)
        {
            foreach (var perturbed in type == TensorType.F32 ? WeightTypes : [type])
            {
                Gen.Select(
                    Gen.ULong, Groups, Tensors, Places, Lengths, Gen.Int[0, Limits.Seeds - 1], Gen.Int[0, Limits.Seeds - 1], Gen.Int)
                    .Sample((key, group, tensor, place, length, previous, next, seed) =>
                    {
                        if (scheme != DirectionSchemes.LowRank)
                            group.Rank = Math.Min(group.Rank, 0);
                        var pool = Pool(scheme, key, Limits.Seeds, tensor, group);
                        PendingUpdate update = new(previous, -0.07f, (uint)seed);
                        Check(pool, tensor, place.Start, Weights(length, type, seed), type, perturbed, update, next, place.Columns);
                    }, iter: 20, threads: 1);
            }
        }
    }

    [Fact]
    public void Factors_are_those_of_the_CPU() => Gen.Select(
        Gen.Select(Gen.ULong, Ranks, Tensors), Gen.Int[1, 6], Gen.Int[1, 1500], Types, Gen.Int)
        .Sample((of, seedCount, count, type, seed) =>
        {
            (var key, var rank, var tensor) = of;
            var pool = Pool(DirectionSchemes.LowRank, key, Limits.Seeds, tensor, (rank, 0));
            Random random = new(seed);
            int[] seeds = [.. Enumerable.Range(0, seedCount).Select(_ => random.Next(Limits.Seeds))];
            foreach (var areRows in new[] { true, false })
            {
                var expected = new float[seedCount * rank * count];
                for (var line = 0; line < seedCount * rank; line++)
                {
                    var direction = pool.Direction(seeds[line / rank], tensor, columns: count);
                    if (areRows)
                        LowRankFactors.Rows(direction, line % rank, expected.AsSpan(line * count, count));
                    else
                        LowRankFactors.Columns(direction, line % rank, expected.AsSpan(line * count, count));
                }
                Assert.Equal(Narrowed(expected, type), Factors(pool, tensor, seeds, areRows, count, type));
            }
        }, iter: 30, threads: 1);

    [Fact]
    public void Products_of_factors_are_the_elements_of_the_vectors()
    {
        foreach (var known in Vectors.Json("rank.json").EnumerateArray().Where(known => known.GetProperty("row").GetInt64() < 1 << 20))
        {
            var key = ulong.Parse(known.GetProperty("pool_key").GetString()!, CultureInfo.InvariantCulture);
            (var tensor, var rank) = (known.GetProperty("tensor").GetInt32(), known.GetProperty("rank").GetInt32());
            (var row, var column) = (known.GetProperty("row").GetInt32(), known.GetProperty("column").GetInt32());
            var pool = Pool(DirectionSchemes.LowRank, key, Limits.Seeds, tensor, (rank, 0));
            int[] seeds = [known.GetProperty("seed").GetInt32()];
            float[] u = Widened(Factors(pool, tensor, seeds, areRows: true, row + 1, TensorType.BF16), TensorType.BF16),
                v = Widened(Factors(pool, tensor, seeds, areRows: false, column + 1, TensorType.BF16), TensorType.BF16);
            var z = Enumerable.Range(0, rank).Sum(product => u[product * (row + 1) + row] * v[product * (column + 1) + column]);
            Assert.Equal(known.GetProperty("z").GetInt32(), z);
        }
    }

    private byte[] Factors(DirectionSpace pool, int tensor, int[] seeds, bool areRows, int count, TensorType type)
    {
        var of = pool.Directed(tensor, columns: count)!.Value;
        DeviceFactors factors = new(_device, pool);
        return OnDevice(MemoryMarshal.AsBytes(seeds.AsSpan()).ToArray(), seeds.Length * of.Rank * count * type.Size(), (source, target) =>
        {
            if (areRows)
                factors.Rows(of, source, seeds.Length, count, type, target);
            else
                factors.Columns(of, source, seeds.Length, count, type, target);
        });
    }

    private static DirectionSpace Pool(string scheme, ulong key, int seeds, int tensor, (int Rank, int Scale) group) => new()
    {
        PoolKey = key,
        SeedCount = seeds,
        Scheme = scheme,
        Tensors = [new(group.Rank < 0 ? tensor ^ 1 : tensor, group.Scale, Math.Max(0, group.Rank))],
    };
}
