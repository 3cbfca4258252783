using System.Runtime.CompilerServices;

namespace FedKSeed.Perturbation.Kernels;

/// <summary>Philox4x32-10 on as many blocks as a vector has 64-bit lanes. Only the low half of each lane counts in all four words.</summary>
internal readonly unsafe struct PhiloxLanes<TSimd, TBits, TReal>
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    private readonly RoundKeys _keys;

    /// <param name="key">The pool key.</param>
    public PhiloxLanes(ulong key)
    {
        (uint k0, uint k1) = ((uint)key, (uint)(key >> 32));
        for (int round = 0; round < Philox4x32.Rounds; round++)
        {
            _keys[2 * round] = k0;
            _keys[2 * round + 1] = k1;
            k0 += Philox4x32.Weyl0;
            k1 += Philox4x32.Weyl1;
        }
    }

    /// <summary>
    /// The four words of the blocks from <paramref name="firstBlock"/> on, in the order of <see cref="ISimd{TBits, TReal}.BlockNumbers"/>.
    /// A 64-bit product is kept whole: its low half is the next round's odd word, and the multiply ignores the high half of the even one.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Generate(
        ulong firstBlock, uint counterSeed, uint counterTensor, out TBits word0, out TBits word1, out TBits word2, out TBits word3)
    {
        word0 = TSimd.BlockNumbers(firstBlock);
        word1 = TSimd.ShiftRight64(word0, 32);
        word2 = TSimd.Broadcast(counterSeed);
        word3 = TSimd.Broadcast(counterTensor);
        for (int round = 0; round < Philox4x32.Rounds; round += 2)
        {
            Round(round, ref word0, ref word1, ref word2, ref word3);
            Round(round + 1, ref word0, ref word1, ref word2, ref word3);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Round(int round, ref TBits word0, ref TBits word1, ref TBits word2, ref TBits word3)
    {
        TBits product0 = TSimd.MultiplyEven(TSimd.Broadcast(Philox4x32.Multiplier0), word0);
        TBits product1 = TSimd.MultiplyEven(TSimd.Broadcast(Philox4x32.Multiplier1), word2);
        word0 = TSimd.Xor(TSimd.ShiftRight64(product1, 32), word1, TSimd.Broadcast(_keys[2 * round]));
        word2 = TSimd.Xor(TSimd.ShiftRight64(product0, 32), word3, TSimd.Broadcast(_keys[2 * round + 1]));
        word1 = product1;
        word3 = product0;
    }

    /// <summary>The same words as two vectors in the order of the tensor's elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void GenerateInElementOrder(ulong firstBlock, uint counterSeed, uint counterTensor, out TBits low, out TBits high)
    {
        Generate(firstBlock, counterSeed, counterTensor, out TBits word0, out TBits word1, out TBits word2, out TBits word3);
        TBits words01 = TSimd.EvenOdd(word0, TSimd.ShiftLeft64(word1, 32));
        TBits words23 = TSimd.EvenOdd(word2, TSimd.ShiftLeft64(word3, 32));
        low = TSimd.UnpackLow64(words01, words23);
        high = TSimd.UnpackHigh64(words01, words23);
    }

    [InlineArray(2 * Philox4x32.Rounds)]
    private struct RoundKeys
    {
        private uint _first;
    }
}
