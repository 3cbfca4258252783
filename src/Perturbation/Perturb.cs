using FedKSeed.Perturbation.Kernels;

namespace FedKSeed.Perturbation;

/// <summary>
/// A zeroth-order step on a range of one tensor's float32 weights: SPEC 4. The range starts at <c>firstElement</c> and is as long as
/// the weights. Every result is one float32 operation (a fused multiply-add) of the stored weight, so nothing drifts.
/// Single-threaded: callers split tensors over threads as they like; the result does not depend on the split.
/// </summary>
public static class Perturb
{
    /// <summary>w⁺ = w + ε·z and w⁻ = w − ε·z; w stays as it is.</summary>
    /// <exception cref="ArgumentException">The three spans differ in length.</exception>
    public static void BothSigns(
        Direction direction, float epsilon, long firstElement, ReadOnlySpan<float> weights, Span<float> plus, Span<float> minus)
    {
        CheckRange(firstElement, weights.Length);
        CheckLengths(weights.Length, plus.Length, minus.Length);
        PerturbKernels.BothSigns(KernelPaths.Best, direction, epsilon, firstElement, weights, plus, minus);
    }

    /// <summary>w ← w + step·z, with step = −η·g.</summary>
    public static void Advance(Direction direction, float step, long firstElement, Span<float> weights)
    {
        CheckRange(firstElement, weights.Length);
        PerturbKernels.Advance(KernelPaths.Best, direction, step, firstElement, weights);
    }

    /// <summary>
    /// The update that the previous seed left pending, then both signs of the next seed, with one read and one write of w:
    /// the same bits as <see cref="Advance"/> followed by <see cref="BothSigns"/>.
    /// </summary>
    /// <exception cref="ArgumentException">The spans differ in length, or the directions belong to different tensors or pools.</exception>
    public static void AdvanceThenBothSigns(
        Direction previous, float step, Direction next, float epsilon, long firstElement, Span<float> weights, Span<float> plus, Span<float> minus)
    {
        CheckRange(firstElement, weights.Length);
        CheckLengths(weights.Length, plus.Length, minus.Length);
        if (previous.Tensor != next.Tensor || previous.Key != next.Key || previous.Scheme != next.Scheme)
            throw new ArgumentException("Both directions must belong to the same tensor of the same pool.", nameof(next));
        PerturbKernels.AdvanceThenBothSigns(KernelPaths.Best, previous, step, next, epsilon, firstElement, weights, plus, minus);
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
