using BenchmarkDotNet.Attributes;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Benchmarks;

/// <summary>
/// One step on a tensor of 64 Ki elements, on one thread; times are per element. The copy of as many float32 is there for perspective.
/// </summary>
public class PerturbBenchmarks
{
    private const int Elements = 1 << 16;

    private static readonly DirectionSpace Rademacher = new() { PoolKey = 0x9E37_79B9_7F4A_7C15, SeedCount = 4096 };
    private static readonly DirectionSpace Gaussian = new()
    {
        PoolKey = Rademacher.PoolKey,
        SeedCount = Rademacher.SeedCount,
        Scheme = DirectionSchemes.Gaussian
    };

    private readonly float[] _weights = new float[Elements];
    private readonly float[] _plus = new float[Elements];
    private readonly float[] _minus = new float[Elements];

    [Benchmark(Baseline = true, OperationsPerInvoke = Elements)]
    public void Both_signs_scalar() => BothSigns(KernelPath.Scalar, Rademacher);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Both_signs_AVX2() => BothSigns(KernelPath.Avx2, Rademacher);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Both_signs_AVX512() => BothSigns(KernelPath.Avx512, Rademacher);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Advance_AVX512() => Kernel(KernelPath.Avx512, Rademacher).Advance(Rademacher.Direction(7, 3), 1e-6f, 0, _weights);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Advance_then_both_signs_AVX512() =>
        Kernel(KernelPath.Avx512, Rademacher).AdvanceThenBothSigns(
            Rademacher.Direction(7, 3),
            1e-6f,
            Rademacher.Direction(99, 3),
            1e-3f,
            0,
            _weights,
            _plus,
            _minus,
            isLarge: false);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Gaussian_both_signs_scalar() => BothSigns(KernelPath.Scalar, Gaussian);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Gaussian_both_signs_AVX2() => BothSigns(KernelPath.Avx2, Gaussian);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Gaussian_both_signs_AVX512() => BothSigns(KernelPath.Avx512, Gaussian);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Memory_copy() => _weights.AsSpan().CopyTo(_plus);

    private void BothSigns(KernelPath path, DirectionSpace pool) =>
        Kernel(path, pool).BothSigns(pool.Direction(7, 3), 1e-3f, 0, _weights, _plus, _minus, isLarge: false);

    private static IPerturbKernel Kernel(KernelPath path, DirectionSpace pool) => pool.SchemeOf().PerturbKernel(path);
}
