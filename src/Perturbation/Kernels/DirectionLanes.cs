using System.Runtime.CompilerServices;

namespace FedKSeed.Perturbation.Kernels;

/// <summary>A direction, two vectors of consecutive elements at a time.</summary>
internal interface IDirectionLanes<TSelf, TReal>
{
    static abstract TSelf Of(Direction direction);

    /// <summary>z of the elements from 4 · <paramref name="firstBlock"/> on: the same values as <see cref="Direction.Value"/>.</summary>
    void Values(ulong firstBlock, out TReal low, out TReal high);
}

internal readonly struct RademacherLanes<TSimd, TBits, TReal> : IDirectionLanes<RademacherLanes<TSimd, TBits, TReal>, TReal>
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    private readonly PhiloxLanes<TSimd, TBits, TReal> _philox;
    private readonly uint _group;
    private readonly uint _tensor;
    private readonly int _shift;

    private RademacherLanes(Direction direction)
    {
        _philox = new(direction.Key);
        (_group, _tensor, _shift) = (direction.CounterSeed, direction.CounterTensor, 31 - direction.SignBit);
    }

    public static RademacherLanes<TSimd, TBits, TReal> Of(Direction direction) => new(direction);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Values(ulong firstBlock, out TReal low, out TReal high)
    {
        _philox.GenerateInElementOrder(firstBlock, _group, _tensor, out TBits lowWords, out TBits highWords);
        (low, high) = (Signed(lowWords), Signed(highWords));
    }

    /// <summary>The seed's bit moved to the sign of −1: a set bit clears it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private TReal Signed(TBits words)
    {
        TBits sign = TSimd.And(TSimd.ShiftLeft(words, _shift), TSimd.Broadcast(0x8000_0000));
        return TSimd.AsReal(TSimd.Xor(sign, TSimd.AsBits(TSimd.Broadcast(-1f))));
    }
}

internal readonly struct GaussianLanes<TSimd, TBits, TReal> : IDirectionLanes<GaussianLanes<TSimd, TBits, TReal>, TReal>
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    private readonly PhiloxLanes<TSimd, TBits, TReal> _philox;
    private readonly uint _seed;
    private readonly uint _tensor;

    private GaussianLanes(Direction direction)
    {
        _philox = new(direction.Key);
        (_seed, _tensor) = (direction.CounterSeed, direction.CounterTensor);
    }

    public static GaussianLanes<TSimd, TBits, TReal> Of(Direction direction) => new(direction);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Values(ulong firstBlock, out TReal low, out TReal high)
    {
        _philox.Generate(firstBlock, _seed, _tensor, out TBits word0, out TBits word1, out TBits word2, out TBits word3);
        GaussianTransformLanes<TSimd, TBits, TReal>.Multiples(word0, word1, word2, word3, out TBits lowMultiples, out TBits highMultiples);
        TReal unit = TSimd.Broadcast(GaussianTransform.Unit);
        (low, high) = (TSimd.Multiply(TSimd.ToReal(lowMultiples), unit), TSimd.Multiply(TSimd.ToReal(highMultiples), unit));
    }
}
