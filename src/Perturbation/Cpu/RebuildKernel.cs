using FedKSeed.Contracts;
using System.Buffers;

using Lanes256 = FedKSeed.Perturbation.Cpu.RebuildLanes<
    FedKSeed.Perturbation.Cpu.Avx2Lanes, System.Runtime.Intrinsics.Vector256<uint>, System.Runtime.Intrinsics.Vector256<float>>;
using Lanes512 = FedKSeed.Perturbation.Cpu.RebuildLanes<
    FedKSeed.Perturbation.Cpu.Avx512Lanes, System.Runtime.Intrinsics.Vector512<uint>, System.Runtime.Intrinsics.Vector512<float>>;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>acc of SPEC 6, rounded to float32, on a chosen path.</summary>
internal sealed class RebuildKernel
{
    private readonly KernelPath _path;
    private readonly DirectionSpace _pool;
    private readonly int[] _quantised;
    private readonly SignTables? _tables;

    public RebuildKernel(KernelPath path, DirectionSpace pool, ReadOnlySpan<int> quantised)
    {
        (_path, _pool, _quantised) = (path, pool, quantised.ToArray());
        if (pool.Scheme == DirectionSchemes.Rademacher && path != KernelPath.Scalar)
            _tables = new SignTables(quantised, path == KernelPath.Avx512 ? Avx512Lanes.LookupBits : Avx2Lanes.LookupBits);
    }

    public ReadOnlySpan<int> Quantised => _quantised;

    /// <summary>float32(acc) of as many elements as there are sums.</summary>
    public void Sums(int tensor, long firstElement, Span<float> sums)
    {
        if (_path == KernelPath.Scalar)
        {
            for (var i = 0; i < sums.Length; i++)
                sums[i] = RebuildScalar.Sum(_pool, _quantised, tensor, firstElement + i);
        }
        else if (PhiloxStart.Remaining(firstElement) is var whole && whole < sums.Length)
        {
            Sums(tensor, firstElement, sums[..(int)whole]);
            Sums(tensor, firstElement + whole, sums[(int)whole..]);
        }
        else if (_pool.Scheme == DirectionSchemes.Rademacher)
            RademacherSums((uint)tensor, firstElement, sums);
        else
            GaussianSums((uint)tensor, firstElement, sums);
    }

    private void RademacherSums(uint tensor, long firstElement, Span<float> sums)
    {
        var stride = _path == KernelPath.Avx512 ? Lanes512.RademacherStride : Lanes256.RademacherStride;
        var lead = (int)(firstElement & 3);
        var exact = ArrayPool<int>.Shared.Rent(RoundUp(lead + sums.Length, stride));
        var window = exact.AsSpan(0, RoundUp(lead + sums.Length, stride));
        if (_path == KernelPath.Avx512)
            Lanes512.Rademacher(_pool.PoolKey, _tables!, tensor, (ulong)firstElement >> 2, window);
        else
            Lanes256.Rademacher(_pool.PoolKey, _tables!, tensor, (ulong)firstElement >> 2, window);
        for (var i = 0; i < sums.Length; i++)
            sums[i] = window[lead + i];
        ArrayPool<int>.Shared.Return(exact);
    }

    private void GaussianSums(uint tensor, long firstElement, Span<float> sums)
    {
        var stride = _path == KernelPath.Avx512 ? Lanes512.GaussianStride : Lanes256.GaussianStride;
        var lead = (int)(firstElement & 3);
        var exact = ArrayPool<long>.Shared.Rent(RoundUp(lead + sums.Length, stride));
        var window = exact.AsSpan(0, RoundUp(lead + sums.Length, stride));
        if (_path == KernelPath.Avx512)
            Lanes512.Gaussian(_pool.PoolKey, _quantised, tensor, (ulong)firstElement >> 2, window);
        else
            Lanes256.Gaussian(_pool.PoolKey, _quantised, tensor, (ulong)firstElement >> 2, window);
        for (var i = 0; i < sums.Length; i++)
            sums[i] = window[lead + i];
        ArrayPool<long>.Shared.Return(exact);
    }

    private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;
}
