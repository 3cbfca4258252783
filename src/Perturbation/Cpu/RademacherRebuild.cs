using System.Buffers;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>Sums of signs, exact in int32, by tables.</summary>
internal sealed class RademacherRebuild<TSimd, TBits, TReal>(ulong key, SignTables tables) : IRebuildKernel
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
        var count = PhiloxStart.RoundUp(lead + sums.Length, RebuildLanes<TSimd, TBits, TReal>.RademacherStride);
        var exact = ArrayPool<int>.Shared.Rent(count);
        var window = exact.AsSpan(0, count);
        RebuildLanes<TSimd, TBits, TReal>.Rademacher(key, tables, (uint)tensor.Ordinal, (ulong)firstElement >> 2, window);
        for (var i = 0; i < sums.Length; i++)
            sums[i] = window[lead + i];
        ArrayPool<int>.Shared.Return(exact);
    }
}
