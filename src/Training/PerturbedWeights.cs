using System.Buffers;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Directions;
using static TorchSharp.torch;

namespace FedKSeed.Training;

/// <summary>
/// w + ε·z and w − ε·z side by side, written parameter by parameter into one scratch buffer as the forward pass asks for
/// them, rounded once from float32 to the compute type; w itself is float32, so that small updates do not vanish, and is
/// never perturbed. The update that the step before left pending is folded into the same read of w. Not thread-safe: each worker has its
/// own.
/// </summary>
internal sealed class PerturbedWeights : IPerturbedWeights
{
    // A piece must begin at a multiple of a Philox block. Spans are limited to 2³¹ elements; what is still to be rounded
    // to the compute type stays in the second-level cache.
    private const int MaxPiece = 1 << 28, MaxRoundedPiece = 1 << 14;

    private readonly ModelWeights _weights;
    private readonly DirectionSpace _pool;
    private readonly WeightBuffer _scratch;
    private readonly WeightViews[] _views;

    private int _seed;
    private float _epsilon;

    private int _pendingSeed;
    private float _pendingStep;
    private readonly bool[] _isPending;

    /// <param name="weights">w, float32.</param>
    /// <param name="pool">Where the directions come from.</param>
    /// <param name="type">What the forward pass computes in.</param>
    public PerturbedWeights(ModelWeights weights, DirectionSpace pool, ComputeType type)
    {
        (_weights, _pool) = (weights, pool);
        var parameters = weights.Layout.Parameters;
        _scratch = new WeightBuffer(2 * parameters.Max(parameter => parameter.Count), type, weights.Device);
        _views = [.. parameters.Select(parameter => new WeightViews(_scratch, offset: 0, sets: 2, parameter.Rows, parameter.Columns))];
        _isPending = new bool[parameters.Count];
    }

    public int Sets => 2;

    public ComputeType Type => _scratch.Type;

    public ModelDevice Device => _weights.Device;

    public Tensor Vector(Parameter parameter) => Write(parameter).Transposed;

    public Tensor Rows(Parameter parameter, Tensor ids) => Write(parameter).Matrix.index_select(1, ids);

    public Tensor Multiply(Tensor x, Parameter matrix) => bmm(x, Write(matrix).Transposed);

    public Tensor MultiplyTransposed(Tensor x, Parameter matrix) => bmm(x, Write(matrix).Matrix);

    public IEnumerable<(long FirstRow, Tensor Product)> MultiplyByRows(Tensor x, Parameter matrix) => [(0, Multiply(x, matrix))];

    public void Perturb(int seed, float epsilon) => (_seed, _epsilon) = (seed, epsilon);

    public void Postpone(int seed, float step)
    {
        (_pendingSeed, _pendingStep) = (seed, step);
        Array.Fill(_isPending, true);
    }

    public void Flush()
    {
        foreach (var parameter in _weights.Layout.Parameters)
        {
            if (!_isPending[parameter.Index])
                continue;
            foreach (var tensor in _weights.Layout.Tensors(parameter))
            {
                for (long first = 0; first < tensor.Count; first += MaxPiece)
                {
                    var count = (int)Math.Min(tensor.Count - first, MaxPiece);
                    var direction = _pool.Direction(_pendingSeed, tensor.Ordinal, tensor.Source.Columns);
                    Perturbation.Perturb.Advance(
                        direction, _pendingStep, first, _weights.Buffer.Floats(tensor.Offset + first, count), get_num_threads());
                }
            }
            _isPending[parameter.Index] = false;
        }
    }

    public void Forget() => Array.Clear(_isPending);

    public void Dispose()
    {
        foreach (var views in _views)
            views.Dispose();
        _scratch.Dispose();
    }

    private WeightViews Write(Parameter parameter)
    {
        var threads = get_num_threads(); // of the products that follow
        foreach (var tensor in _weights.Layout.Tensors(parameter))
        {
            if (_scratch.HasFloats)
            {
                for (long first = 0; first < tensor.Count; first += MaxPiece)
                    Write(parameter, tensor, first, (int)Math.Min(tensor.Count - first, MaxPiece), threads);
            }
            else
                WriteRounded(parameter, tensor, threads);
        }
        _isPending[parameter.Index] = false;
        return _views[parameter.Index];
    }

    private void Write(Parameter parameter, PlacedTensor tensor, long first, int count, int threads)
    {
        var at = tensor.Offset - parameter.Offset + first;
        Perturb(parameter, tensor, first, _scratch.Floats(at, count), _scratch.Floats(parameter.Count + at, count), threads);
    }

    private void WriteRounded(Parameter parameter, PlacedTensor tensor, int threads)
    {
        void WritePiece(long piece)
        {
            long first = piece * MaxRoundedPiece, at = tensor.Offset - parameter.Offset + first;
            var count = (int)Math.Min(tensor.Count - first, MaxRoundedPiece);
            var wide = ArrayPool<float>.Shared.Rent(2 * MaxRoundedPiece);
            Span<float> plus = wide.AsSpan(0, count), minus = wide.AsSpan(MaxRoundedPiece, count);
            Perturb(parameter, tensor, first, plus, minus, threads: 1);
            _scratch.Write(at, plus);
            _scratch.Write(parameter.Count + at, minus);
            ArrayPool<float>.Shared.Return(wide);
        }

        var pieces = (tensor.Count + MaxRoundedPiece - 1) / MaxRoundedPiece;
        if (threads == 1 || pieces == 1)
        {
            for (long piece = 0; piece < pieces; piece++)
                WritePiece(piece);
        }
        else
            Parallel.For(0, pieces, new ParallelOptions { MaxDegreeOfParallelism = threads }, WritePiece);
    }

    private void Perturb(Parameter parameter, PlacedTensor tensor, long first, Span<float> plus, Span<float> minus, int threads)
    {
        var weights = _weights.Buffer.Floats(tensor.Offset + first, plus.Length);
        var direction = _pool.Direction(_seed, tensor.Ordinal, tensor.Source.Columns);
        if (_isPending[parameter.Index])
        {
            var previous = _pool.Direction(_pendingSeed, tensor.Ordinal, tensor.Source.Columns);
            Perturbation.Perturb.AdvanceThenBothSigns(previous, _pendingStep, direction, _epsilon, first, weights, plus, minus, threads);
        }
        else
        {
            Perturbation.Perturb.BothSigns(direction, _epsilon, first, weights, plus, minus, threads);
        }
    }
}
