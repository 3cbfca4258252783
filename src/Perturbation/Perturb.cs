using System.Runtime.Intrinsics.X86;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation;

/// <summary>
/// A zeroth-order step on a range of one tensor's float32 weights: SPEC 4. The range starts at <c>firstElement</c> and is as long as
/// the weights. Every result is one float32 operation (a fused multiply-add) of the stored weight, so nothing drifts.
/// The result depends neither on how a tensor is split into ranges nor on the threads.
/// </summary>
public static class Perturb
{
    // What a thread takes at a time: a multiple of every kernel's stride, small enough that threads end together.
    private const int ThreadPiece = 1 << 16;

    /// <summary>
    /// Elements from which on w⁺ and w⁻ are written past the caches: 32 MB of them would not stay there until they are read.
    /// </summary>
    internal const int LargeCount = 1 << 22;

    /// <summary>w⁺ = w + ε·z and w⁻ = w − ε·z; w stays as it is.</summary>
    /// <exception cref="ArgumentException">The three spans differ in length.</exception>
    public static unsafe void BothSigns(
        Direction direction, float epsilon, long firstElement, ReadOnlySpan<float> weights, Span<float> plus, Span<float> minus,
        int degreeOfParallelism = 1)
    {
        CheckRange(firstElement, weights.Length);
        CheckLengths(weights.Length, plus.Length, minus.Length);
        if (direction.IsFrozen)
        {
            weights.CopyTo(plus);
            weights.CopyTo(minus);
            return;
        }
        var scaled = direction.Scaled(epsilon);
        var kernel = direction.Scheme.PerturbKernel(KernelPaths.Best);
        var isLarge = weights.Length >= LargeCount;
        fixed (float* w = weights, p = plus, m = minus)
        {
            float* from = w, up = p, down = m; // fixed locals cannot be captured; the pins outlast the loop
            InPieces(weights.Length, degreeOfParallelism, (begin, count) =>
            {
                kernel.BothSigns(
                    direction, scaled, firstElement + begin,
                    new(from + begin, count), new(up + begin, count), new(down + begin, count), isLarge);
                Publish(isLarge);
            });
        }
    }

    /// <summary>w ← w + step·z, with step = −η·g.</summary>
    public static unsafe void Advance(Direction direction, float step, long firstElement, Span<float> weights, int degreeOfParallelism = 1)
    {
        CheckRange(firstElement, weights.Length);
        if (direction.IsFrozen)
            return;
        step = direction.Scaled(step);
        var kernel = direction.Scheme.PerturbKernel(KernelPaths.Best);
        fixed (float* w = weights)
        {
            var start = w;
            InPieces(weights.Length, degreeOfParallelism, (begin, count) =>
                kernel.Advance(direction, step, firstElement + begin, new(start + begin, count)));
        }
    }

    /// <summary>
    /// The update that the previous seed left pending, then both signs of the next seed, with one read and one write of w:
    /// the same bits as <see cref="Advance"/> followed by <see cref="BothSigns"/>.
    /// </summary>
    /// <exception cref="ArgumentException">The spans differ in length, or the directions belong to different tensors or pools.</exception>
    public static unsafe void AdvanceThenBothSigns(
        Direction previous, float step, Direction next, float epsilon, long firstElement, Span<float> weights, Span<float> plus,
        Span<float> minus, int degreeOfParallelism = 1)
    {
        CheckRange(firstElement, weights.Length);
        CheckLengths(weights.Length, plus.Length, minus.Length);
        if (previous.Of != next.Of || previous.Key != next.Key || previous.Scheme != next.Scheme)
            throw new ArgumentException("Both directions must belong to the same tensor of the same pool.", nameof(next));
        if (next.IsFrozen)
        {
            BothSigns(next, epsilon, firstElement, weights, plus, minus);
            return;
        }
        (step, epsilon) = (previous.Scaled(step), next.Scaled(epsilon));
        var kernel = next.Scheme.PerturbKernel(KernelPaths.Best);
        var isLarge = weights.Length >= LargeCount;
        fixed (float* w = weights, p = plus, m = minus)
        {
            float* from = w, up = p, down = m;
            InPieces(weights.Length, degreeOfParallelism, (begin, count) =>
            {
                kernel.AdvanceThenBothSigns(
                    previous, step, next, epsilon, firstElement + begin,
                    new(from + begin, count), new(up + begin, count), new(down + begin, count), isLarge);
                Publish(isLarge);
            });
        }
    }

    private static void InPieces(int length, int degreeOfParallelism, Action<int, int> work)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(degreeOfParallelism, 1);
        if (degreeOfParallelism == 1 || length <= ThreadPiece)
        {
            work(0, length);
            return;
        }

        var options = new ParallelOptions { MaxDegreeOfParallelism = degreeOfParallelism };
        Parallel.For(
            0, (length - 1) / ThreadPiece + 1, options, i => work(i * ThreadPiece, Math.Min(ThreadPiece, length - i * ThreadPiece)));
    }

    /// <summary>
    /// Stores past the caches are ordered with no other: what was written must be seen before anybody is told that it is there.
    /// </summary>
    private static void Publish(bool isLarge)
    {
        if (isLarge && Sse.IsSupported)
            Sse.StoreFence();
    }

    private static void CheckRange(long firstElement, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstElement, long.MaxValue - length);
    }

    private static void CheckLengths(int weights, int plus, int minus)
    {
        if (plus != weights || minus != weights)
            throw new ArgumentException($"Spans differ in length: {weights} weights, {plus} plus, {minus} minus.");
    }
}
