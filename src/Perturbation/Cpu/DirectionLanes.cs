using System.Runtime.CompilerServices;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>A direction, two vectors of consecutive elements at a time.</summary>
internal interface IDirectionLanes<TSelf, TReal>
{
    /// <summary>For the blocks that share the upper 32 bits of <paramref name="block"/>.</summary>
    static abstract TSelf Of(Direction direction, ulong block);

    /// <summary>z of the elements from 4 · <paramref name="firstBlock"/> on: the same values as <see cref="Direction.Value"/>.</summary>
    void Values(ulong firstBlock, out TReal low, out TReal high);
}

internal readonly struct RademacherLanes<TSimd, TBits, TReal> : IDirectionLanes<RademacherLanes<TSimd, TBits, TReal>, TReal>
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    private readonly PhiloxLanes<TSimd, TBits, TReal> _philox;
    private readonly PhiloxStart _start;
    private readonly int _shift;

    private RademacherLanes(Direction direction, ulong block)
    {
        _philox = new(direction.Key);
        _start = _philox.Start(block, RademacherScheme.CounterSeed(direction.Seed), (uint)direction.Tensor);
        _shift = 31 - RademacherScheme.SignBit(direction.Seed);
    }

    public static RademacherLanes<TSimd, TBits, TReal> Of(Direction direction, ulong block) => new(direction, block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Values(ulong firstBlock, out TReal low, out TReal high)
    {
        _philox.GenerateInElementOrder(_start, firstBlock, out var lowWords, out var highWords);
        (low, high) = (Signed(lowWords), Signed(highWords));
    }

    /// <summary>The seed's bit moved to the sign of −1: a set bit clears it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TReal Signed(TBits words)
    {
        var sign = TSimd.And(TSimd.ShiftLeft(words, _shift), TSimd.Broadcast(0x8000_0000));
        return TSimd.AsReal(TSimd.Xor(sign, TSimd.AsBits(TSimd.Broadcast(-1f))));
    }
}

internal readonly struct GaussianLanes<TSimd, TBits, TReal> : IDirectionLanes<GaussianLanes<TSimd, TBits, TReal>, TReal>
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    private readonly PhiloxLanes<TSimd, TBits, TReal> _philox;
    private readonly PhiloxStart _start;

    private GaussianLanes(Direction direction, ulong block)
    {
        _philox = new(direction.Key);
        _start = _philox.Start(block, (uint)direction.Seed, GaussianScheme.CounterTensor(direction.Tensor));
    }

    public static GaussianLanes<TSimd, TBits, TReal> Of(Direction direction, ulong block) => new(direction, block);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Values(ulong firstBlock, out TReal low, out TReal high)
    {
        _philox.Generate(_start, firstBlock, out var word0, out var word1, out var word2, out var word3);
        GaussianTransformLanes<TSimd, TBits, TReal>.Multiples(word0, word1, word2, word3, out var lowMultiples, out var highMultiples);
        var unit = TSimd.Broadcast(GaussianTransform.Unit);
        (low, high) = (TSimd.Multiply(TSimd.ToReal(lowMultiples), unit), TSimd.Multiply(TSimd.ToReal(highMultiples), unit));
    }
}
