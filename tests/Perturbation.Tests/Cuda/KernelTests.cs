using System.Runtime.InteropServices;
using CsCheck;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.Perturbation.Tests.Cuda;

/// <summary>Every kernel of kernels.cu against the CPU's scalar form, bit for bit, on some device.</summary>
public abstract partial class KernelTests : IDisposable
{
    private static readonly TensorType[] WeightTypes = [TensorType.F32, TensorType.F16, TensorType.BF16];

    private static readonly Gen<TensorType> Types = Gen.OneOf(
        Gen.Const(TensorType.F32), Gen.Const(TensorType.F16), Gen.Const(TensorType.BF16));

    // Ragged ranges, with and without a boundary of a vector within; block indices around 2³² (a counter word) and 2⁶⁰.
    private static readonly Gen<long> Starts = Gen.OneOf(PerturbTests.Starts, Gen.Long[(1L << 62) - 100, (1L << 62) + 100]);
    private static readonly Gen<int> Lengths = Gen.OneOf(Gen.Int[0, 40], Gen.Int[0, 1500]);

    // Tensors of a checkpoint have ordinals up to 2³¹; the top bit tells the schemes apart.
    private static readonly Gen<int> Tensors = Gen.OneOf(Gen.Int[0, 300], Gen.Int[0, int.MaxValue]);

    private readonly IKernelDevice _device;

    protected KernelTests(IKernelDevice device) => _device = device;

    public void Dispose()
    {
        _device.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData(DirectionSchemes.Rademacher, "plain", 12)]
    [InlineData(DirectionSchemes.Rademacher, "tensor cores", 30)]
    [InlineData(DirectionSchemes.Gaussian, "plain", 6)]
    public void A_rebuild_gives_the_bits_of_the_CPU(string scheme, string form, int iterations)
    {
        Assert.SkipUnless(form == "plain" || _device.HasBinaryTensorCores, "This card has no binary tensor cores.");
        var counts = scheme == DirectionSchemes.Gaussian ?
            Gen.Int[1, 100] :
            Gen.OneOf(Gen.Int[1, 70], Gen.Int[200, 600], Gen.Const(1024));
        Gen.Select(Gen.Select(Gen.ULong, counts, Gen.Int[0, 30]), Gen.Int[0, 48], Tensors, Starts, Gen.Int[0, 300], Types, Types, Gen.Int)
            .Sample(
                (version, shift, tensor, start, length, baseType, targetType, seed) =>
                {
                    (var key, var count, var bits) = version;
                    DirectionSpace pool = new() { PoolKey = key, SeedCount = count, Scheme = scheme };
                    var quantised = Quantised(count, bits, seed);
                    var weights = Weights(length, baseType, seed);
                    Rebuilder rebuilder = new(KernelPath.Scalar, pool, quantised, shift);
                    var wide = Widened(weights, baseType);
                    rebuilder.Rebuild(tensor, start, wide, wide);
                    using DeviceRebuilder device = new(_device, rebuilder, form == "plain" ? RebuildForm.Plain : RebuildForm.TensorCores);
                    var actual = OnDevice(weights, length * targetType.Size(), (source, target) =>
                        device.Rebuild(tensor, start, length, baseType, source, targetType, target));
                    Assert.Equal(Narrowed(wide, targetType), actual);
                }, iter: iterations, threads: 1);
    }

    [Fact]
    public void A_rebuild_with_every_width_of_accumulators_is_exact()
    {
        foreach (var limit in (int[])[0, 1, 127, 128, 32_767, 32_768, (1 << 23) - 1, 1 << 23, int.MaxValue])
        {
            int[] quantised = [limit, 0];
            DirectionSpace pool = new() { PoolKey = 9, SeedCount = 2 };
            foreach (var signed in (int[][])[quantised, [-limit, 0]])
            {
                Rebuilder rebuilder = new(KernelPath.Scalar, pool, signed, 40);
                var expected = new float[70];
                rebuilder.Rebuild(3, 5, expected, expected);
                foreach (var form in (RebuildForm[])[RebuildForm.Plain, .. _device.HasBinaryTensorCores
                    ? [RebuildForm.TensorCores]
                    : Array.Empty<RebuildForm>()])
                {
                    using DeviceRebuilder device = new(_device, rebuilder, form);
                    var actual = OnDevice(
                        new byte[4 * 70], 4 * 70,
                        (source, target) => device.Rebuild(3, 5, 70, TensorType.F32, source, TensorType.F32, target));
                    Assert.Equal(expected, Widened(actual, TensorType.F32));
                }
            }
        }
    }

    [Theory]
    [InlineData(DirectionSchemes.Rademacher)]
    [InlineData(DirectionSchemes.Gaussian)]
    public void Perturbing_gives_the_bits_of_the_CPU(string scheme)
    {
        foreach (var type in WeightTypes)
        {
            foreach (var perturbed in type == TensorType.F32 ? WeightTypes : [type])
            {
                Gen.Select(
                    Gen.ULong,
                    Tensors,
                    Starts,
                    Lengths,
                    Gen.Int[0, Limits.Seeds - 1],
                    Gen.Int[0, Limits.Seeds - 1],
                    Gen.Float[-0.1f, 0.1f],
                    Gen.Int)
                    .Sample((key, tensor, start, length, previous, next, step, seed) =>
                    {
                        DirectionSpace pool = new() { PoolKey = key, SeedCount = Limits.Seeds, Scheme = scheme };
                        PendingUpdate update = new(previous, step, (uint)seed);
                        var weights = Weights(length, type, seed);
                        Check(pool, tensor, start, weights, type, perturbed, update, next);
                    }, iter: 12, threads: 1);
            }
        }
    }

    [Fact]
    public void Several_segments_of_one_launch_are_those_of_many_launches()
    {
        DirectionSpace pool = new() { PoolKey = 77, SeedCount = 5000 };
        (int Tensor, long First, int Count)[] ranges = [(4, 0, 3000), (9, 17, 1), (2, (1L << 34) + 3, 4096), (0, 5, 0), (7, 8, 2047)];
        var length = ranges.Sum(range => range.Count);
        var weights = Weights(length, TensorType.BF16, seed: 1);
        var expected = weights.ToArray();
        float[] plus = new float[length], minus = new float[length];
        List<Segment> segments = [];
        var at = 0;
        foreach ((var tensor, var first, var count) in ranges)
        {
            segments.Add(new Segment(pool.Directed(tensor), first, count, at, at, length + at));
            StochasticRounding.Advance(pool.Direction(4000, tensor), 0.01f, 3, first, TensorType.BF16, expected.AsSpan(2 * at, 2 * count));
            var wide = Widened(expected.AsSpan(2 * at, 2 * count), TensorType.BF16);
            PerturbScalar.Instance.BothSigns(
                pool.Direction(31, tensor),
                1e-3f,
                first,
                wide,
                plus.AsSpan(at, count),
                minus.AsSpan(at, count),
                isLarge: false);
            at += count;
        }
        using SegmentTable table = new(_device, [.. segments]);
        DevicePerturb perturb = new(_device, pool, TensorType.BF16, TensorType.BF16);
        (var moved, var perturbed) = InPlace(weights, 2 * weights.Length, (address, target) =>
        {
            perturb.BothSigns(table.Range(0, 2), new PendingUpdate(4000, 0.01f, 3), 31, 1e-3f, address, target);
            perturb.BothSigns(table.Range(2, 3), new PendingUpdate(4000, 0.01f, 3), 31, 1e-3f, address, target);
        });
        Assert.Equal(expected, moved);
        Assert.Equal([.. Narrowed(plus, TensorType.BF16), .. Narrowed(minus, TensorType.BF16)], perturbed);
    }

    [Theory]
    [InlineData(DirectionSchemes.Rademacher)]
    [InlineData(DirectionSchemes.Gaussian)]
    public void Rows_in_use_are_perturbed_as_the_whole_matrix_is(string scheme)
    {
        foreach ((var type, var perturbed) in ((TensorType, TensorType)[])
            [(TensorType.F32, TensorType.F32), (TensorType.F32, TensorType.F16), (TensorType.F32, TensorType.BF16),
             (TensorType.F16, TensorType.F16), (TensorType.BF16, TensorType.BF16)])
        {
            Gen.Select(Gen.Int[1, 40], Gen.Int[1, 30], Gen.Int[0, 12], Tensors, Gen.Int).Sample((rows, columns, used, tensor, seed) =>
            {
                DirectionSpace pool = new() { PoolKey = 5, SeedCount = 4096, Scheme = scheme };
                var weights = Weights(rows * columns, type, seed);
                long[] ids = [.. Enumerable.Range(0, used).Select(i => (long)((uint)(i * 2_654_435_761L) % rows))];
                (var plus, var minus) = Signs(pool.Direction(77, tensor), 0, Widened(weights, type));
                float[] expected =
                [
                    .. ids.SelectMany(id => plus[(int)(id * columns)..(int)((id + 1) * columns)]),
                    .. ids.SelectMany(id => minus[(int)(id * columns)..(int)((id + 1) * columns)]),
                ];
                using DeviceMemory idMemory = new(_device, MemoryMarshal.AsBytes(ids.AsSpan()));
                var bytes = used * columns * perturbed.Size();
                var actual = OnDevice(weights, 2 * bytes, (source, target) =>
                    new DevicePerturb(_device, pool, type, perturbed).BothSignsOfRows(
                        tensor, idMemory.Address, used, columns, 77, 1e-3f, source, target, target + bytes));
                Assert.Equal(Narrowed(expected, perturbed), actual);
            }, iter: 8, threads: 1);
        }
    }

    private void Check(
        DirectionSpace pool,
        int tensor,
        long start,
        byte[] weights,
        TensorType type,
        TensorType perturbed,
        PendingUpdate update,
        int next,
        long columns = 0)
    {
        var length = weights.Length / type.Size();
        using SegmentTable table = new(_device, [new Segment(pool.Directed(tensor, columns), start, length, 0, 0, length)]);
        DevicePerturb device = new(_device, pool, type, perturbed);
        var bytes = length * perturbed.Size();

        var advanced = weights.ToArray();
        Advance(pool.Direction(update.Seed, tensor, columns), start, advanced, type, update);
        (var moved, _) = InPlace(weights, 0, (address, _) => device.Advance(table.Range(0, 1), update, address));
        Assert.Equal(advanced, moved);

        (var plus, var minus) = Signs(pool.Direction(next, tensor, columns), start, Widened(weights, type));
        (var kept, var signs) = InPlace(
            weights, 2 * bytes, (address, target) => device.BothSigns(table.Range(0, 1), null, next, 1e-3f, address, target));
        Assert.Equal(weights, kept);
        Assert.Equal([.. Narrowed(plus, perturbed), .. Narrowed(minus, perturbed)], signs);

        (plus, minus) = Signs(pool.Direction(next, tensor, columns), start, Widened(advanced, type));
        (moved, signs) = InPlace(
            weights, 2 * bytes, (address, target) => device.BothSigns(table.Range(0, 1), update, next, 1e-3f, address, target));
        Assert.Equal(advanced, moved);
        Assert.Equal([.. Narrowed(plus, perturbed), .. Narrowed(minus, perturbed)], signs);
    }

    private static void Advance(Direction direction, long start, byte[] weights, TensorType type, PendingUpdate update)
    {
        if (direction.IsFrozen)
            return;
        if (type == TensorType.F32)
            PerturbScalar.Instance.Advance(
                direction, direction.Scaled(update.Step), start, MemoryMarshal.Cast<byte, float>(weights.AsSpan()));
        else
            StochasticRounding.Advance(direction, update.Step, update.Draw, start, type, weights);
    }

    private static (float[] Plus, float[] Minus) Signs(Direction direction, long start, float[] weights)
    {
        float[] plus = new float[weights.Length], minus = new float[weights.Length];
        if (direction.IsFrozen)
            return (weights, weights);
        PerturbScalar.Instance.BothSigns(direction, direction.Scaled(1e-3f), start, weights, plus, minus, isLarge: false);
        return (plus, minus);
    }

    private byte[] OnDevice(byte[] source, int resultBytes, Action<nint, nint> work) => InPlace(source, resultBytes, work).Result;

    private (byte[] Source, byte[] Result) InPlace(byte[] source, int resultBytes, Action<nint, nint> work)
    {
        // What lies behind the memory must stay as it is.
        byte[] guard = [.. Enumerable.Repeat((byte)0xA5, 64)];
        using DeviceMemory sourceMemory = new(_device, [.. source, .. guard]), result = new(_device, [.. new byte[resultBytes], .. guard]);
        work(sourceMemory.Address, result.Address);
        byte[] after = new byte[source.Length + guard.Length], bytes = new byte[resultBytes + guard.Length];
        _device.Read(sourceMemory.Address, after);
        _device.Read(result.Address, bytes);
        Assert.Equal(guard, after[source.Length..]);
        Assert.Equal(guard, bytes[resultBytes..]);
        return (after[..source.Length], bytes[..resultBytes]);
    }

    private static int[] Quantised(int count, int bits, int seed)
    {
        Random random = new(seed);
        var limit = (int)Math.Min((1L << bits) - 1, int.MaxValue / count);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(-limit, limit + 1))];
    }

    // Ordinary weights, and the odd zero, subnormal, infinity and NaN.
    private static byte[] Weights(int length, TensorType type, int seed)
    {
        Random random = new(seed);
        float[] values = [.. Enumerable.Range(0, length).Select(_ => random.Next(20) switch
        {
            0 => random.NextSingle() * 1e-6f,
            1 => -0f,
            2 => random.Next(4) == 0 ? float.NaN : 1e-39f,
            3 => random.Next(4) == 0 ? float.NegativeInfinity : 65_500f,
            _ => random.NextSingle() - 0.5f,
        })];
        return Narrowed(values, type);
    }

    private static float[] Widened(ReadOnlySpan<byte> elements, TensorType type)
    {
        var values = new float[elements.Length / type.Size()];
        type.Widen(elements, values);
        return values;
    }

    private static byte[] Narrowed(float[] values, TensorType type)
    {
        var elements = new byte[values.Length * type.Size()];
        type.Narrow(values, elements);
        return elements;
    }
}

/// <summary>On the CPU, everywhere.</summary>
public sealed class EmulatedKernelTests() : KernelTests(HostEmulation.Create());

/// <summary>On the card, where there is one.</summary>
[Trait("Category", "Gpu")]
public sealed class GpuKernelTests() : KernelTests(Open())
{
    private static CudaDevice Open()
    {
        if (CudaDriver.WhyNot() is { } reason)
            Assert.Skip(reason);
        return new CudaDevice(ordinal: 0, more: []);
    }
}
