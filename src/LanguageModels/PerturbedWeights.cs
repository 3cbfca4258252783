using FedKSeed.Perturbation;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

/// <summary>
/// w + ε·z and w − ε·z side by side, written parameter by parameter into one scratch buffer as the forward pass asks for
/// them; w itself is never perturbed. The update that the step before left pending is folded into the same read of w. Not
/// thread-safe: each worker has its own.
/// </summary>
internal sealed class PerturbedWeights : IWeights, IDisposable
{
    // Spans are limited to 2³¹ elements; a piece must begin at a multiple of a Philox block.
    private const int MaxPiece = 1 << 28;

    private readonly ModelWeights _weights;
    private readonly SeedPool _pool;
    private readonly Tensor _scratch;
    private readonly nint _scratchAddress;
    private readonly WeightViews[] _views;

    private int _seed;
    private float _epsilon;

    private int _pendingSeed;
    private float _pendingStep;
    private readonly bool[] _isPending;

    public PerturbedWeights(ModelWeights weights, SeedPool pool)
    {
        (_weights, _pool) = (weights, pool);
        IReadOnlyList<Parameter> parameters = weights.Layout.Parameters;
        _scratch = empty(2 * parameters.Max(parameter => parameter.Count), ScalarType.Float32).DetachFromDisposeScope();
        _scratchAddress = _scratch.storage<float>().data_ptr();
        _views = [.. parameters.Select(parameter => new WeightViews(_scratch, parameter, offset: 0, sets: 2))];
        _isPending = new bool[parameters.Count];
    }

    public int Sets => 2;

    public Tensor Vector(Parameter parameter) => Write(parameter).Rows;

    public Tensor Table(Parameter parameter) => Write(parameter).Rows;

    public Tensor Transposed(Parameter parameter) => Write(parameter).Transposed;

    /// <summary>From here on the weights are perturbed along this seed's direction.</summary>
    public void Perturb(int seed, float epsilon) => (_seed, _epsilon) = (seed, epsilon);

    /// <summary>Leaves w ← w + step·z to be done when w is next read. Whatever was pending must be flushed before.</summary>
    public void Postpone(int seed, float step)
    {
        (_pendingSeed, _pendingStep) = (seed, step);
        Array.Fill(_isPending, true);
    }

    /// <summary>Does what is left of the pending update.</summary>
    public void Flush()
    {
        foreach (Parameter parameter in _weights.Layout.Parameters)
        {
            if (!_isPending[parameter.Index])
                continue;
            foreach (PlacedTensor tensor in _weights.Layout.Tensors(parameter))
            {
                for (long first = 0; first < tensor.Count; first += MaxPiece)
                {
                    int count = (int)Math.Min(tensor.Count - first, MaxPiece);
                    Direction direction = _pool.Direction(_pendingSeed, tensor.Ordinal);
                    Perturbation.Perturb.Advance(direction, _pendingStep, first, _weights.Span(tensor.Offset + first, count));
                }
            }
            _isPending[parameter.Index] = false;
        }
    }

    /// <summary>Drops the pending update: w is about to be replaced.</summary>
    public void Forget() => Array.Clear(_isPending);

    public void Dispose()
    {
        foreach (WeightViews views in _views)
            views.Dispose();
        _scratch.Dispose();
    }

    private WeightViews Write(Parameter parameter)
    {
        foreach (PlacedTensor tensor in _weights.Layout.Tensors(parameter))
        {
            for (long first = 0; first < tensor.Count; first += MaxPiece)
                Write(parameter, tensor, first, (int)Math.Min(tensor.Count - first, MaxPiece));
        }
        _isPending[parameter.Index] = false;
        return _views[parameter.Index];
    }

    private void Write(Parameter parameter, PlacedTensor tensor, long first, int count)
    {
        long at = tensor.Offset - parameter.Offset + first;
        Span<float> weights = _weights.Span(tensor.Offset + first, count);
        Span<float> plus = Scratch(at, count), minus = Scratch(parameter.Count + at, count);
        Direction direction = _pool.Direction(_seed, tensor.Ordinal);
        if (_isPending[parameter.Index])
        {
            Direction previous = _pool.Direction(_pendingSeed, tensor.Ordinal);
            Perturbation.Perturb.AdvanceThenBothSigns(previous, _pendingStep, direction, _epsilon, first, weights, plus, minus);
        }
        else
        {
            Perturbation.Perturb.BothSigns(direction, _epsilon, first, weights, plus, minus);
        }
    }

    private unsafe Span<float> Scratch(long offset, int length) => new((float*)_scratchAddress + offset, length);
}
