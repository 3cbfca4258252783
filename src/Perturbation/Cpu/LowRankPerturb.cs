using System.Buffers;
using System.Runtime.CompilerServices;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>
/// <see cref="PerturbScalar"/> for sums of products of signs, bit for bit: the columns' signs are made once for all rows of a range, so an
/// element takes no Philox, only a multiplication by its row's sign for each product.
/// </summary>
internal sealed unsafe class LowRankPerturb<TSimd, TBits, TReal> : IPerturbKernel
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    private static readonly PerturbLanes<RademacherLanes<TSimd, TBits, TReal>, TSimd, TBits, TReal> WithoutStructure =
        PerturbLanes<RademacherLanes<TSimd, TBits, TReal>, TSimd, TBits, TReal>.Instance;

    private LowRankPerturb()
    {
    }

    public static LowRankPerturb<TSimd, TBits, TReal> Instance { get; } = new();

    private static int Width => 2 * TSimd.Blocks;

    public void BothSigns(
        Direction direction, float epsilon, long firstElement, ReadOnlySpan<float> weights, Span<float> plus, Span<float> minus,
        bool isLarge)
    {
        if (direction.Of.Rank == 0)
        {
            WithoutStructure.BothSigns(direction, epsilon, firstElement, weights, plus, minus, isLarge);
            return;
        }
        fixed (float* w = weights, p = plus, m = minus)
            Run(direction, epsilon, firstElement, weights.Length, w, p, m);
    }

    public void Advance(Direction direction, float step, long firstElement, Span<float> weights)
    {
        if (direction.Of.Rank == 0)
        {
            WithoutStructure.Advance(direction, step, firstElement, weights);
            return;
        }
        fixed (float* w = weights)
            Run(direction, step, firstElement, weights.Length, w, w, null);
    }

    public void AdvanceThenBothSigns(
        Direction previous, float step, Direction next, float epsilon, long firstElement,
        Span<float> weights, Span<float> plus, Span<float> minus, bool isLarge)
    {
        Advance(previous, step, firstElement, weights);
        BothSigns(next, epsilon, firstElement, weights, plus, minus, isLarge);
    }

    /// <summary>±1 of the elements from a block on.</summary>
    public static void Signs(Direction direction, ulong block, Span<float> signs)
    {
        var stride = 2 * Width;
        var whole = signs.Length / stride * stride;
        fixed (float* all = signs)
            Signs(direction, block, whole, all);
        if (whole == signs.Length)
            return;
        var rest = stackalloc float[stride];
        Signs(direction, block + (ulong)(whole / 4), stride, rest);
        new ReadOnlySpan<float>(rest, signs.Length - whole).CopyTo(signs[whole..]);
    }

    /// <summary>
    /// plus ← w + factor·z, and minus ← w − factor·z unless there is none. The range's columns are those of its rows, or fewer where it
    /// lies within one row.
    /// </summary>
    private static void Run(Direction direction, float factor, long firstElement, int count, float* weights, float* plus, float* minus)
    {
        (var row, var column) = Math.DivRem(firstElement, direction.Of.Columns);
        var isOneRow = column + count <= direction.Of.Columns;
        var first = isOneRow ? column & ~3L : 0;
        var used = (int)((isOneRow ? column + count : direction.Of.Columns) - first);
        var stride = PhiloxStart.RoundUp(used, 2 * Width);
        var rented = ArrayPool<float>.Shared.Rent(direction.Of.Rank * stride);
        fixed (float* signs = rented)
        {
            for (var product = 0; product < direction.Of.Rank; product++)
                Signs(direction, LowRankScheme.ColumnBlock(product, first), stride, signs + product * stride);
            for (var done = 0; done < count; row++, column = 0)
            {
                var length = (int)Math.Min(count - done, direction.Of.Columns - column);
                var at = signs + (column - first);
                Row(direction, row, factor, at, stride, length, weights + done, plus + done, minus is null ? null : minus + done);
                done += length;
            }
        }

        ArrayPool<float>.Shared.Return(rented);
    }

    /// <summary>±1 of the columns from a block on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Signs(Direction direction, ulong block, int count, float* signs)
    {
        var lanes = RademacherLanes<TSimd, TBits, TReal>.Of(direction, block);
        for (var i = 0; i < count; i += 2 * Width, block += (ulong)TSimd.Blocks)
        {
            lanes.Values(block, out var low, out var high);
            TSimd.Store(low, signs + i);
            TSimd.Store(high, signs + i + Width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row(
        Direction direction, long row, float factor, float* signs, int stride, int count, float* weights, float* plus, float* minus)
    {
        var rank = direction.Of.Rank;
        var rowSigns = stackalloc float[4];
        for (var product = 0; product < rank; product++)
            rowSigns[product] = RademacherScheme.Sign(direction, LowRankScheme.RowBlock(product, row), (int)(row & 3));
        TReal up = TSimd.Broadcast(factor), down = TSimd.Broadcast(-factor);
        var i = 0;
        for (; i + Width <= count; i += Width)
        {
            var z = TSimd.Multiply(TSimd.Broadcast(rowSigns[0]), TSimd.Load(signs + i));
            for (var product = 1; product < rank; product++)
                z = TSimd.Fma(TSimd.Broadcast(rowSigns[product]), TSimd.Load(signs + product * stride + i), z);
            var w = TSimd.Load(weights + i);
            TSimd.Store(TSimd.Fma(up, z, w), plus + i);
            if (minus is not null)
                TSimd.Store(TSimd.Fma(down, z, w), minus + i);
        }

        for (; i < count; i++)
        {
            var z = 0f;
            for (var product = 0; product < rank; product++)
                z += rowSigns[product] * signs[product * stride + i];
            var w = weights[i];
            plus[i] = MathF.FusedMultiplyAdd(factor, z, w);
            if (minus is not null)
                minus[i] = MathF.FusedMultiplyAdd(-factor, z, w);
        }
    }
}
