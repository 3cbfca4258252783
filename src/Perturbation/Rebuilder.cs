using System.Runtime.InteropServices;
using FedKSeed.Perturbation.Kernels;

namespace FedKSeed.Perturbation;

/// <summary>
/// Weights of one version of a model, from the base weights and the quantised accumulators (SPEC 6):
/// <code>
/// Rademacher   acc = Σ q[j]·z[j]  exact in int32,  W = fma(−2^(s−40), float32(acc), float32(w0))
/// Gaussian     acc = Σ q[j]·n[j]  exact in int64,  W = fma(−2^(s−52), float32(acc), float32(w0)),  z = n·2⁻¹²
/// </code>
/// float32(acc) and the fma round once each, to nearest even; a result in F16 or BF16 is then rounded once more, likewise.
/// Immutable, so one instance serves all tensors and threads.
/// </summary>
public sealed class Rebuilder
{
    /// <summary>Accumulators are kept in units of 2⁻⁴⁰.</summary>
    private const int AccumulatorExponent = -40;
    private const int MaxShift = 63;

    private readonly int[] _quantised;
    private readonly int _shift;

    /// <param name="pool">The federation's seed pool.</param>
    /// <param name="quantised">q, one per seed of the pool.</param>
    /// <param name="shift">s, 0 to 63.</param>
    /// <exception cref="ArgumentException">q does not fit the pool, or Σ|q| exceeds 2³¹ − 1, which SPEC 6 rules out.</exception>
    public Rebuilder(SeedPool pool, ReadOnlySpan<int> quantised, int shift)
    {
        if (quantised.Length != pool.Count)
            throw new ArgumentException($"{quantised.Length} quantised accumulators for a pool of {pool.Count} seeds.", nameof(quantised));
        ArgumentOutOfRangeException.ThrowIfNegative(shift);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shift, MaxShift);
        long magnitude = 0;
        foreach (int q in quantised)
            magnitude += Math.Abs((long)q);
        if (magnitude > int.MaxValue)
            throw new ArgumentException($"The quantised accumulators sum to {magnitude} in magnitude; sums are exact only up to 2^31 − 1.", nameof(quantised));
        (Pool, _quantised, _shift) = (pool, quantised.ToArray(), shift);
    }

    public SeedPool Pool { get; }

    /// <summary>Rebuilds a range of a tensor in float32, without the rounding to the checkpoint's type.</summary>
    /// <param name="tensor">The tensor's ordinal.</param>
    /// <param name="firstElement">Where in the tensor the range begins.</param>
    /// <param name="baseWeights">w0 of the range.</param>
    /// <param name="weights">Takes W; may be the same memory as <paramref name="baseWeights"/>.</param>
    /// <param name="degreeOfParallelism">Threads to use; the result does not depend on it.</param>
    public void Rebuild(int tensor, long firstElement, ReadOnlySpan<float> baseWeights, Span<float> weights, int degreeOfParallelism = 1) =>
        Rebuild(tensor, firstElement, TensorType.F32, MemoryMarshal.AsBytes(baseWeights), MemoryMarshal.AsBytes(weights), degreeOfParallelism);

    /// <summary>Rebuilds a range of a tensor in the checkpoint's own type: F32, F16 or BF16.</summary>
    public void Rebuild(
        int tensor, long firstElement, TensorType type, ReadOnlySpan<byte> baseElements, Span<byte> elements, int degreeOfParallelism = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfLessThan(degreeOfParallelism, 1);
        if (baseElements.Length != elements.Length || elements.Length % type.Size() != 0)
            throw new ArgumentException($"{baseElements.Length} bytes of base and {elements.Length} bytes of target are not equally many elements of {type.Name()}.");
        var weights = new float[elements.Length / type.Size()];
        type.Widen(baseElements, weights);
        for (int i = 0; i < weights.Length; i++)
            weights[i] = RebuildScalar.Weight(Pool, _quantised, _shift, tensor, firstElement + i, weights[i]);
        type.Narrow(weights, elements);
    }

    /// <summary>What one unit of acc is worth: −2^(s−40), or −2^(s−52) where acc counts multiples of 2⁻¹².</summary>
    internal static float Factor(DirectionScheme scheme, int shift) =>
        -MathF.ScaleB(1f, shift + AccumulatorExponent + (scheme == DirectionScheme.PhiloxGaussian ? GaussianTransform.UnitExponent : 0));
}
