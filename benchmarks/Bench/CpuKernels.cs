using System.Runtime.InteropServices;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Bench;

/// <summary>The kernels on buffers that no cache holds, and the plain loops that they are compared with.</summary>
/// <param name="baselines">For the plain loops, which need less care.</param>
internal sealed class CpuKernels(int threads, int seeds, RepeatedTiming timing, RepeatedTiming baselines) : IMeasuredKernels
{
    /// <summary>Weights of the slice: 64 MiB each of w, w⁺ and w⁻.</summary>
    public const int Elements = 1 << 24;

    // Of one call: a rebuild is bound by arithmetic, and short passes find quiet moments of a busy machine.
    private const int RebuiltElements = 1 << 18;
    private const int Tensor = 3;
    private const int ScalarElements = 1 << 14, ScalarRebuilt = 1 << 5;

    private readonly DirectionSpace _pool = new() { PoolKey = 0x9E37_79B9_7F4A_7C15, SeedCount = seeds };
    private readonly AlignedFloats _weights = new(Elements), _plus = new(Elements), _minus = new(Elements);

    public string Path => KernelPaths.Best.ToString();

    public string PerturbSlice => $"{Elements >> 20} Mi elements, scaled";

    public string RebuildSlice => $"{RebuiltElements >> 10} Ki elements, scaled";

    public int BytesPerWeight => sizeof(float);

    public int BytesPerPerturbedWeight => sizeof(float);

    public static string ScalarSlice =>
        $"plain loop, one thread: perturb {ScalarElements >> 10} Ki elements, rebuild {ScalarRebuilt} elements × all seeds";

    public double Copy(IProgress<double> progress)
    {
        const int piece = 1 << 20;
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads };
        var seconds = timing.Best(
            () => Parallel.For(0, 2 * Elements / piece, options, i =>
            {
                var at = i % (Elements / piece) * piece;
                _weights.Span.Slice(at, piece).CopyTo((i * piece < Elements ? _plus : _minus).Span.Slice(at, piece));
            }),
            progress);
        return 2.0 * Elements * 2 * sizeof(float) / seconds;
    }

    public double BothSigns(IProgress<double> progress) =>
        timing.Best(
            () => Perturb.BothSigns(_pool.Direction(0, Tensor), 1e-3f, 0, _weights.Span, _plus.Span, _minus.Span, threads), progress)
            / Elements;

    public double Update(IProgress<double> progress) =>
        timing.Best(() => Perturb.Advance(_pool.Direction(0, Tensor), 1e-9f, 0, _weights.Span, threads), progress) / Elements;

    public double UpdateAndBothSigns(IProgress<double> progress) =>
        timing.Best(
            () => Perturb.AdvanceThenBothSigns(
                _pool.Direction(0, Tensor), 1e-9f, _pool.Direction(seeds - 1, Tensor), 1e-3f, 0, _weights.Span, _plus.Span, _minus.Span,
                threads),
            progress) / Elements;

    public double Rebuild(IProgress<double> progress) => Rebuild(_pool, progress);

    public double RebuildRankOne(IProgress<double> progress) => Rebuild(IMeasuredKernels.RankOne(_pool, Tensor), progress);

    private double Rebuild(DirectionSpace pool, IProgress<double> progress)
    {
        var rebuilder = new Rebuilder(pool, Quantised(), 10);
        var source = MemoryMarshal.AsBytes(_weights.Span)[..(RebuiltElements * TensorType.BF16.Size())].ToArray();
        var target = new byte[source.Length];
        return timing.Best(
            () => rebuilder.Rebuild(Tensor, 0, TensorType.BF16, source, target, threads, IMeasuredKernels.Columns), progress)
            / RebuiltElements;
    }

    /// <summary>Seconds an element of both signs by the plain loop; the update takes half of it.</summary>
    public double ScalarBothSigns()
    {
        var direction = _pool.Direction(0, Tensor);
        return baselines.Best(() =>
        {
            for (var i = 0; i < ScalarElements; i++)
            {
                var z = direction.Value(i);
                (_plus.Span[i], _minus.Span[i]) = (_weights.Span[i] + 1e-3f * z, _weights.Span[i] - 1e-3f * z);
            }
        }) / ScalarElements;
    }

    public double ScalarRebuild()
    {
        var rebuilder = new Rebuilder(KernelPath.Scalar, _pool, Quantised(), 10);
        return baselines.Best(() => rebuilder.Rebuild(Tensor, 0, _weights.Span[..ScalarRebuilt], _plus.Span[..ScalarRebuilt]))
            / ScalarRebuilt;
    }

    private int[] Quantised() => IMeasuredKernels.Quantised(seeds);

    public void Dispose()
    {
    }
}

/// <summary>Float32 memory on whole cache lines, as libtorch gives it, touched once so that it is there.</summary>
internal sealed class AlignedFloats
{
    private const int Line = 64;

    private readonly float[] _memory;
    private readonly int _first, _length;

    public AlignedFloats(int length)
    {
        _length = length;
        _memory = GC.AllocateUninitializedArray<float>(length + Line / sizeof(float), pinned: true);
        _first = (int)(-Marshal.UnsafeAddrOfPinnedArrayElement(_memory, 0) & (Line - 1)) / sizeof(float);
        Span.Fill(0.02f);
    }

    public Span<float> Span => _memory.AsSpan(_first, _length);
}
