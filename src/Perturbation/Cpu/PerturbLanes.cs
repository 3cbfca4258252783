using System.Runtime.CompilerServices;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>
/// <see cref="PerturbScalar"/> on two vectors of elements at a time, bit for bit. A stride of elements starts on a block; what a range
/// holds before its first block and after its last whole stride goes through a stride-long buffer.
/// </summary>
internal sealed unsafe class PerturbLanes<TDirection, TSimd, TBits, TReal> : IPerturbKernel
    where TDirection : struct, IDirectionLanes<TDirection, TReal>
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    // Weights, 4 KiB; a multiple of every stride.
    private const int Tile = 1024;

    private PerturbLanes()
    {
    }

    public static PerturbLanes<TDirection, TSimd, TBits, TReal> Instance { get; } = new();

    private static int Width => 2 * TSimd.Blocks;
    private static int Stride => 4 * TSimd.Blocks;

    public void BothSigns(
        Direction direction, float epsilon, long firstElement, ReadOnlySpan<float> weights, Span<float> plus, Span<float> minus,
        bool isLarge)
    {
        var buffers = stackalloc float[3 * Stride];
        fixed (float* w = weights, p = plus, m = minus)
        {
            for (var done = 0; done < weights.Length;)
            {
                var piece = Piece.At(firstElement + done, weights.Length - done, Stride);
                var lanes = TDirection.Of(direction, piece.Block);
                if (piece.IsWhole)
                    BothSigns(
                        ref lanes, epsilon, piece.Block, piece.Count, w + done, p + done, m + done,
                        isLarge && AreAligned(p + done, m + done));
                else
                {
                    new ReadOnlySpan<float>(w + done, piece.Count).CopyTo(new(buffers + piece.Offset, piece.Count));
                    BothSigns(ref lanes, epsilon, piece.Block, Stride, buffers, buffers + Stride, buffers + 2 * Stride, isLarge: false);
                    new ReadOnlySpan<float>(buffers + Stride + piece.Offset, piece.Count).CopyTo(new(p + done, piece.Count));
                    new ReadOnlySpan<float>(buffers + 2 * Stride + piece.Offset, piece.Count).CopyTo(new(m + done, piece.Count));
                }

                done += piece.Count;
            }
        }
    }

    public void Advance(Direction direction, float step, long firstElement, Span<float> weights)
    {
        var buffer = stackalloc float[Stride];
        fixed (float* w = weights)
        {
            for (var done = 0; done < weights.Length;)
            {
                var piece = Piece.At(firstElement + done, weights.Length - done, Stride);
                var lanes = TDirection.Of(direction, piece.Block);
                if (piece.IsWhole)
                    Advance(ref lanes, step, piece.Block, piece.Count, w + done);
                else
                {
                    var part = new Span<float>(w + done, piece.Count);
                    part.CopyTo(new(buffer + piece.Offset, piece.Count));
                    Advance(ref lanes, step, piece.Block, Stride, buffer);
                    new ReadOnlySpan<float>(buffer + piece.Offset, piece.Count).CopyTo(part);
                }

                done += piece.Count;
            }
        }
    }

    /// <summary>
    /// One after the other on a tile that stays in the first-level cache: two generators at once would not fit the registers.
    /// </summary>
    public void AdvanceThenBothSigns(
        Direction previous, float step, Direction next, float epsilon, long firstElement,
        Span<float> weights, Span<float> plus, Span<float> minus, bool isLarge)
    {
        for (var done = 0; done < weights.Length; done += Tile)
        {
            var count = Math.Min(Tile, weights.Length - done);
            Advance(previous, step, firstElement + done, weights.Slice(done, count));
            BothSigns(
                next, epsilon, firstElement + done, weights.Slice(done, count), plus.Slice(done, count), minus.Slice(done, count), isLarge);
        }
    }

    private static bool AreAligned(float* plus, float* minus) => (((nuint)plus | (nuint)minus) & (nuint)(sizeof(TReal) - 1)) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(TReal value, float* target, bool isLarge)
    {
        if (isLarge)
            TSimd.StoreThrough(value, target);
        else
            TSimd.Store(value, target);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BothSigns(
        ref TDirection lanes, float epsilon, ulong block, int count, float* weights, float* plus, float* minus, bool isLarge)
    {
        TReal up = TSimd.Broadcast(epsilon), down = TSimd.Broadcast(-epsilon);
        for (var i = 0; i < count; i += Stride, block += (ulong)TSimd.Blocks)
        {
            lanes.Values(block, out var z0, out var z1);
            TReal w0 = TSimd.Load(weights + i), w1 = TSimd.Load(weights + i + Width);
            Store(TSimd.Fma(up, z0, w0), plus + i, isLarge);
            Store(TSimd.Fma(up, z1, w1), plus + i + Width, isLarge);
            Store(TSimd.Fma(down, z0, w0), minus + i, isLarge);
            Store(TSimd.Fma(down, z1, w1), minus + i + Width, isLarge);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Advance(ref TDirection lanes, float step, ulong block, int count, float* weights)
    {
        var scale = TSimd.Broadcast(step);
        for (var i = 0; i < count; i += Stride, block += (ulong)TSimd.Blocks)
        {
            lanes.Values(block, out var z0, out var z1);
            TSimd.Store(TSimd.Fma(scale, z0, TSimd.Load(weights + i)), weights + i);
            TSimd.Store(TSimd.Fma(scale, z1, TSimd.Load(weights + i + Width)), weights + i + Width);
        }
    }
}

/// <summary>
/// What can be done next of a range: whole strides at once, or a part of one that starts <see cref="Offset"/> elements into its first
/// block.
/// </summary>
internal readonly record struct Piece(ulong Block, int Offset, int Count, bool IsWhole)
{
    public static Piece At(long element, int remaining, int stride)
    {
        var offset = (int)(element & 3);
        var block = (ulong)element >> 2;
        remaining = (int)Math.Min(remaining, PhiloxStart.Remaining(element));
        if (offset == 0 && remaining >= stride)
            return new(block, 0, remaining - remaining % stride, true);
        var untilBlock = offset == 0 ? stride : 4 - offset;
        return new(block, offset, Math.Min(remaining, untilBlock), false);
    }
}
