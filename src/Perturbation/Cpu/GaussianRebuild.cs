using System.Buffers;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>Sums of multiples of normals, exact in int64.</summary>
internal sealed class GaussianRebuild<TSimd, TBits, TReal>(ulong key, int[] quantised) : IRebuildKernel
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    public void Sums(in DirectedTensor tensor, long firstElement, Span<float> sums)
    {
        if (PhiloxStart.Remaining(firstElement) is var whole && whole < sums.Length)
        {
            Sums(tensor, firstElement, sums[..(int)whole]);
            Sums(tensor, firstElement + whole, sums[(int)whole..]);
            return;
        }
        var lead = (int)(firstElement & 3);
        var count = PhiloxStart.RoundUp(lead + sums.Length, RebuildLanes<TSimd, TBits, TReal>.GaussianStride);
        var exact = ArrayPool<long>.Shared.Rent(count);
        var window = exact.AsSpan(0, count);
        RebuildLanes<TSimd, TBits, TReal>.Gaussian(key, quantised, tensor.Ordinal, (ulong)firstElement >> 2, window);
        for (var i = 0; i < sums.Length; i++)
            sums[i] = window[lead + i];
        ArrayPool<long>.Shared.Return(exact);
    }
}
