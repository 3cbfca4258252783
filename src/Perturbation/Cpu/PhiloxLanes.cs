using System.Runtime.CompilerServices;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>
/// Two rounds of Philox, as far as they do not depend on the lower half of the block's number: constants that the remaining halves are
/// XORed with (word 3 has none).
/// </summary>
internal readonly record struct PhiloxStart(uint SecondWord0, uint SecondWord2, uint SecondWord3, uint FirstWord2)
{
    /// <summary>Elements of as many blocks as share a start: every range is split where one begins.</summary>
    public const long Elements = 4L << 32;

    /// <summary>How many of the elements from one on share its start.</summary>
    public static long Remaining(long element) => Elements - (element & (Elements - 1));

    /// <summary>A count rounded up to whole strides of a kernel.</summary>
    public static int RoundUp(int count, int stride) => (count + stride - 1) / stride * stride;
}

/// <summary>
/// Philox4x32-10 on as many blocks as a vector has 64-bit lanes. Only the low half of each lane counts in all four words.
/// </summary>
internal readonly unsafe struct PhiloxLanes<TSimd, TBits, TReal>
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    private readonly RoundKeys _keys;

    /// <param name="key">The pool key.</param>
    public PhiloxLanes(ulong key)
    {
        (var k0, var k1) = ((uint)key, (uint)(key >> 32));
        for (var round = 0; round < Philox4x32.Rounds; round++)
        {
            _keys[2 * round] = k0;
            _keys[2 * round + 1] = k1;
            k0 += Philox4x32.Weyl0;
            k1 += Philox4x32.Weyl1;
        }
    }

    /// <summary>What the first two rounds make of the counter's words that blocks share.</summary>
    /// <param name="block">Any of the blocks; the others share its upper 32 bits.</param>
    public PhiloxStart Start(ulong block, uint counterSeed, uint counterTensor)
    {
        var product1 = (ulong)Philox4x32.Multiplier1 * counterSeed;
        var word0 = (uint)(product1 >> 32) ^ (uint)(block >> 32) ^ _keys[0];
        var product0 = (ulong)Philox4x32.Multiplier0 * word0;
        return new((uint)product1 ^ _keys[2], (uint)(product0 >> 32) ^ _keys[3], (uint)product0, counterTensor ^ _keys[1]);
    }

    /// <summary>
    /// The four words of the blocks from <paramref name="firstBlock"/> on, in the order of <see cref="ISimd{TBits, TReal}.BlockNumbers"/>.
    /// A 64-bit product is kept whole: its low half is the next round's odd word, and the multiply ignores the high half of the even one.
    /// Blocks whose upper 32 bits are not those of <paramref name="start"/> get words that mean nothing.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Generate(in PhiloxStart start, ulong firstBlock, out TBits word0, out TBits word1, out TBits word2, out TBits word3) =>
        Generate(in start, FirstProduct(firstBlock), out word0, out word1, out word2, out word3);

    /// <summary>What the first round makes of the numbers of the blocks from one on; starts do not change it.</summary>
    public static TBits FirstProduct(ulong firstBlock) =>
        TSimd.MultiplyEven(TSimd.Broadcast(Philox4x32.Multiplier0), TSimd.BlockNumbers(firstBlock));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Generate(in PhiloxStart start, TBits product0, out TBits word0, out TBits word1, out TBits word2, out TBits word3)
    {
        Begin(in start, product0, out word0, out word1, out word2, out word3);
        for (var round = 2; round < Philox4x32.Rounds; round += 2)
        {
            Round(round, ref word0, ref word1, ref word2, ref word3);
            Round(round + 1, ref word0, ref word1, ref word2, ref word3);
        }
    }

    /// <summary>The first two rounds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Begin(in PhiloxStart start, TBits product0, out TBits word0, out TBits word1, out TBits word2, out TBits word3)
    {
        word2 = TSimd.Xor(TSimd.ShiftRight64(product0, 32), TSimd.Broadcast(start.FirstWord2));
        word1 = TSimd.MultiplyEven(TSimd.Broadcast(Philox4x32.Multiplier1), word2);
        word0 = TSimd.Xor(TSimd.ShiftRight64(word1, 32), TSimd.Broadcast(start.SecondWord0));
        word2 = TSimd.Xor(product0, TSimd.Broadcast(start.SecondWord2));
        word3 = TSimd.Broadcast(start.SecondWord3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Round(int round, ref TBits word0, ref TBits word1, ref TBits word2, ref TBits word3)
    {
        var product0 = TSimd.MultiplyEven(TSimd.Broadcast(Philox4x32.Multiplier0), word0);
        var product1 = TSimd.MultiplyEven(TSimd.Broadcast(Philox4x32.Multiplier1), word2);
        word0 = TSimd.Xor(TSimd.ShiftRight64(product1, 32), word1, TSimd.Broadcast(_keys[2 * round]));
        word2 = TSimd.Xor(TSimd.ShiftRight64(product0, 32), word3, TSimd.Broadcast(_keys[2 * round + 1]));
        word1 = product1;
        word3 = product0;
    }

    /// <summary>The same words as two vectors in the order of the tensor's elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void GenerateInElementOrder(in PhiloxStart start, ulong firstBlock, out TBits low, out TBits high)
    {
        Generate(in start, FirstProduct(firstBlock), out var word0, out var word1, out var word2, out var word3);
        Order(word0, word1, word2, word3, out low, out high);
    }

    /// <summary>
    /// The same of four calls at a time, two starts by two runs of blocks: a round waits for the multiplications of the one before, and
    /// four chains keep the multipliers busy.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void GenerateFour(
        in PhiloxStart start0, in PhiloxStart start1, TBits firstProduct0, TBits firstProduct1, uint* words0, uint* words1)
    {
        Begin(in start0, firstProduct0, out var a0, out var a1, out var a2, out var a3);
        Begin(in start0, firstProduct1, out var b0, out var b1, out var b2, out var b3);
        Begin(in start1, firstProduct0, out var c0, out var c1, out var c2, out var c3);
        Begin(in start1, firstProduct1, out var d0, out var d1, out var d2, out var d3);
        for (var round = 2; round < Philox4x32.Rounds; round++)
        {
            Round(round, ref a0, ref a1, ref a2, ref a3);
            Round(round, ref b0, ref b1, ref b2, ref b3);
            Round(round, ref c0, ref c1, ref c2, ref c3);
            Round(round, ref d0, ref d1, ref d2, ref d3);
        }
        StoreInElementOrder(a0, a1, a2, a3, words0);
        StoreInElementOrder(b0, b1, b2, b3, words0 + 4 * TSimd.Blocks);
        StoreInElementOrder(c0, c1, c2, c3, words1);
        StoreInElementOrder(d0, d1, d2, d3, words1 + 4 * TSimd.Blocks);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreInElementOrder(TBits word0, TBits word1, TBits word2, TBits word3, uint* words)
    {
        Order(word0, word1, word2, word3, out var low, out var high);
        TSimd.Store(low, words);
        TSimd.Store(high, words + 2 * TSimd.Blocks);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Order(TBits word0, TBits word1, TBits word2, TBits word3, out TBits low, out TBits high)
    {
        var words01 = TSimd.EvenOdd(word0, TSimd.ShiftLeft64(word1, 32));
        var words23 = TSimd.EvenOdd(word2, TSimd.ShiftLeft64(word3, 32));
        low = TSimd.UnpackLow64(words01, words23);
        high = TSimd.UnpackHigh64(words01, words23);
    }

    [InlineArray(2 * Philox4x32.Rounds)]
    private struct RoundKeys
    {
        private uint _first;
    }
}
