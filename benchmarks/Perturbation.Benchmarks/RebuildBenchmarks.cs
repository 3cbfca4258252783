using BenchmarkDotNet.Attributes;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;

namespace FedKSeed.Perturbation.Benchmarks;

/// <summary>
/// A rebuild of all K = 4096 seeds; times are per element. The scalar forms, and Gaussian directions, take fewer elements so that a call
/// stays short.
/// </summary>
public class RebuildBenchmarks
{
    internal const int Seeds = 4096;
    private const int Elements = 1 << 18;
    private const int Columns = 2048;
    private const int GaussianElements = 1 << 13;
    private const int ScalarElements = 1 << 7;

    private readonly float[] _base = new float[Elements];
    private readonly float[] _weights = new float[Elements];
    private readonly int[] _quantised = new int[Seeds];

    [GlobalSetup]
    public void Fill()
    {
        var random = new Random(1);
        for (var i = 0; i < Elements; i++)
            _base[i] = random.NextSingle();
        for (var seed = 0; seed < Seeds; seed++)
            _quantised[seed] = random.Next(-(1 << 17) + 1, 1 << 17); // at rank 4 their sums still fit
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = ScalarElements)]
    public void Rademacher_scalar() => Rebuild(KernelPath.Scalar, DirectionSchemes.Rademacher, ScalarElements, 1);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Rademacher_AVX2_one_thread() => Rebuild(KernelPath.Avx2, DirectionSchemes.Rademacher, Elements, 1);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Rademacher_AVX2_two_threads() => Rebuild(KernelPath.Avx2, DirectionSchemes.Rademacher, Elements, 2);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Rademacher_AVX512_one_thread() => Rebuild(KernelPath.Avx512, DirectionSchemes.Rademacher, Elements, 1);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Rademacher_AVX512_two_threads() => Rebuild(KernelPath.Avx512, DirectionSchemes.Rademacher, Elements, 2);

    [Benchmark(OperationsPerInvoke = ScalarElements)]
    public void Rank_one_scalar() => Rebuild(KernelPath.Scalar, DirectionSchemes.LowRank, ScalarElements, 1);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Rank_one_AVX2_one_thread() => Rebuild(KernelPath.Avx2, DirectionSchemes.LowRank, Elements, 1);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Rank_one_AVX512_one_thread() => Rebuild(KernelPath.Avx512, DirectionSchemes.LowRank, Elements, 1);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Rank_one_AVX512_two_threads() => Rebuild(KernelPath.Avx512, DirectionSchemes.LowRank, Elements, 2);

    [Benchmark(OperationsPerInvoke = Elements)]
    public void Rank_four_AVX512_one_thread() => Rebuild(KernelPath.Avx512, DirectionSchemes.LowRank, Elements, 1, rank: 4);

    [Benchmark(OperationsPerInvoke = ScalarElements)]
    public void Gaussian_scalar() => Rebuild(KernelPath.Scalar, DirectionSchemes.Gaussian, ScalarElements, 1);

    [Benchmark(OperationsPerInvoke = GaussianElements)]
    public void Gaussian_AVX512_two_threads() => Rebuild(KernelPath.Avx512, DirectionSchemes.Gaussian, GaussianElements, 2);

    private void Rebuild(KernelPath path, string scheme, int elements, int threads, int rank = 1)
    {
        var space = new DirectionSpace
        {
            PoolKey = 0x9E37_79B9_7F4A_7C15,
            SeedCount = Seeds,
            Scheme = scheme,
            Tensors = scheme == DirectionSchemes.LowRank ? [new TrainedTensor(3, 0, rank)] : null,
        };
        new Rebuilder(path, space, _quantised, 10).Rebuild(
            3, 0, _base.AsSpan(0, elements), _weights.AsSpan(0, elements), threads, Math.Min(Columns, elements));
    }
}
