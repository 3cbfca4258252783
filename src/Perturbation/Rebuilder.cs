using System.Buffers;
using System.Runtime.InteropServices;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation;

/// <summary>
/// Weights of one version of a model, from the base weights and the quantised accumulators (SPEC 6):
/// <code>
/// acc = Σ q[j]·n[j]  exact,  W = fma(−2^(s−40+u+e), float32(acc), float32(w0)),  z = n·2ᵘ
/// Rademacher, rank  u = 0, exact in int32       Gaussian  u = −12, exact in int64
/// </code>
/// float32(acc) and the fma round once each, to nearest even; a result in F16 or BF16 is then rounded once more, likewise.
/// Immutable, so one instance serves all tensors and threads.
/// </summary>
public sealed class Rebuilder
{
    /// <summary>Accumulators are kept in units of 2⁻⁴⁰.</summary>
    private const int AccumulatorExponent = -40;
    private const int MaxShift = 63;

    // Elements that a thread takes at a time are at least so many, and so many pieces that threads end together.
    private const int MinChunk = 512;
    private const int ChunksPerThread = 4;

    private readonly IRebuildKernel _kernel;
    private readonly int[] _quantised;
    private readonly float _factor;

    /// <param name="pool">The federation's seed pool.</param>
    /// <param name="quantised">q, one per seed of the pool.</param>
    /// <param name="shift">s, 0 to 63.</param>
    /// <param name="catalogue">Where the pool's scheme is found; null for <see cref="DirectionCatalogue.BuiltIn"/>.</param>
    /// <exception cref="ArgumentException">q does not fit the pool, or r·Σ|q| exceeds 2³¹ − 1, which SPEC 6 rules out.</exception>
    public Rebuilder(DirectionSpace pool, ReadOnlySpan<int> quantised, int shift, DirectionCatalogue? catalogue = null)
        : this(KernelPaths.Best, pool, quantised, shift, catalogue)
    {
    }

    /// <summary>On a chosen path, for comparison.</summary>
    public Rebuilder(
        KernelPath path, DirectionSpace pool, ReadOnlySpan<int> quantised, int shift, DirectionCatalogue? catalogue = null)
    {
        Scheme = pool.SchemeOf(catalogue);
        if (quantised.Length != pool.SeedCount)
            throw new ArgumentException(
                $"{quantised.Length} quantised accumulators for a pool of {pool.SeedCount} seeds.",
                nameof(quantised));
        ArgumentOutOfRangeException.ThrowIfNegative(shift);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(shift, MaxShift);
        if (pool is { Scheme: DirectionSchemes.LowRank, Tensors: null })
            throw new ArgumentException(
                "The space does not say which tensors have which rank: it must be resolved on the base.", nameof(pool));
        long magnitude = 0;
        foreach (var q in quantised)
            magnitude += Math.Abs((long)q);
        if (magnitude * pool.LargestRank > int.MaxValue)
            throw new ArgumentException(
                $"The quantised accumulators sum to {magnitude} in magnitude, at rank {pool.LargestRank}; "
                    + "their product is exact only up to 2^31 − 1.",
                nameof(quantised));
        Pool = pool;
        _factor = -MathF.ScaleB(1f, shift + AccumulatorExponent + Scheme.UnitExponent);
        _quantised = quantised.ToArray();
        _kernel = Scheme.RebuildKernel(path, pool, _quantised);
    }

    public DirectionSpace Pool { get; }

    public DirectionScheme Scheme { get; }

    /// <summary>q, one per seed.</summary>
    internal ReadOnlySpan<int> Quantised => _quantised;

    /// <summary>What one unit of acc is worth in a weight.</summary>
    internal float UnitWeight => _factor;

    /// <summary>Rebuilds a range of a tensor in float32, without the rounding to the checkpoint's type.</summary>
    /// <param name="tensor">The tensor's ordinal.</param>
    /// <param name="firstElement">Where in the tensor the range begins.</param>
    /// <param name="baseWeights">w0 of the range.</param>
    /// <param name="weights">Takes W; may be the same memory as <paramref name="baseWeights"/>.</param>
    /// <param name="degreeOfParallelism">Threads to use; the result does not depend on it.</param>
    /// <param name="columns">Of a matrix as it is stored; needed where its rank is above 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">Columns are needed and not given.</exception>
    public void Rebuild(
        int tensor, long firstElement, ReadOnlySpan<float> baseWeights, Span<float> weights, int degreeOfParallelism = 1,
        long columns = 0) =>
        Rebuild(
            tensor, firstElement, TensorType.F32, MemoryMarshal.AsBytes(baseWeights), MemoryMarshal.AsBytes(weights), degreeOfParallelism,
            columns);

    /// <summary>Rebuilds a range of a tensor in the checkpoint's own type: F32, F16 or BF16. What is frozen is copied.</summary>
    public void Rebuild(
        int tensor, long firstElement, TensorType type, ReadOnlySpan<byte> baseElements, Span<byte> elements, int degreeOfParallelism = 1,
        long columns = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfLessThan(degreeOfParallelism, 1);
        if (baseElements.Length != elements.Length || elements.Length % type.Size() != 0)
            throw new ArgumentException(
                $"{baseElements.Length} bytes of base and {elements.Length} bytes of target are not equally many elements of "
                    + $"{type.Name()}.");
        if (Pool.Directed(tensor, columns) is { } directed)
            Run(new ElementRange(directed, firstElement, type), baseElements, elements, degreeOfParallelism);
        else
            baseElements.CopyTo(elements);
    }

    private unsafe void Run(ElementRange range, ReadOnlySpan<byte> baseElements, Span<byte> elements, int degreeOfParallelism)
    {
        var size = range.Type.Size();
        var count = elements.Length / size;
        var chunk = Math.Clamp(count / (degreeOfParallelism * ChunksPerThread), MinChunk, _kernel.PieceOf(range.Tensor));
        // Pieces of a matrix of some rank end with its rows: what a row's or a column's elements share is then made once.
        var lead = 0;
        if (range.Tensor.Columns is > 0 and var columns && columns <= chunk)
            (chunk, lead) = (chunk - (int)(chunk % columns), (int)(range.FirstElement % columns));
        var chunks = (count + lead + chunk - 1) / chunk;
        fixed (byte* sourceStart = baseElements, targetStart = elements)
        {
            byte* source = sourceStart, target = targetStart; // fixed locals cannot be captured; the pin outlasts the loop
            void RunChunk(int index)
            {
                var begin = Math.Max(index * chunk - lead, 0);
                var bytes = (Math.Min((index + 1) * chunk - lead, count) - begin) * size;
                RunChunkOf(range, begin, new(source + (long)begin * size, bytes), new(target + (long)begin * size, bytes));
            }

            if (degreeOfParallelism == 1 || chunks == 1)
            {
                for (var i = 0; i < chunks; i++)
                    RunChunk(i);
            }
            else
                Parallel.For(0, chunks, new ParallelOptions { MaxDegreeOfParallelism = degreeOfParallelism }, RunChunk);
        }
    }

    private void RunChunkOf(ElementRange range, int begin, ReadOnlySpan<byte> source, Span<byte> target)
    {
        var count = target.Length / range.Type.Size();
        var factor = MathF.ScaleB(_factor, range.Tensor.Exponent);
        float[] sums = ArrayPool<float>.Shared.Rent(count), weights = ArrayPool<float>.Shared.Rent(count);
        _kernel.Sums(range.Tensor, range.FirstElement + begin, sums.AsSpan(0, count));
        range.Type.Widen(source, weights.AsSpan(0, count));
        for (var i = 0; i < count; i++)
            weights[i] = MathF.FusedMultiplyAdd(factor, sums[i], weights[i]);
        range.Type.Narrow(weights.AsSpan(0, count), target);
        ArrayPool<float>.Shared.Return(sums);
        ArrayPool<float>.Shared.Return(weights);
    }

    private readonly record struct ElementRange(DirectedTensor Tensor, long FirstElement, TensorType Type);
}
