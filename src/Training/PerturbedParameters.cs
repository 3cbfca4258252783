using System.Buffers;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Directions;
using static TorchSharp.torch;

namespace FedKSeed.Training;

/// <summary>
/// <see cref="IPerturbedParameters"/> on the CPU: written parameter by parameter into one scratch buffer as the forward pass asks for them,
/// rounded once from float32 to the compute type. w itself is float32, so that small updates do not vanish, and is never perturbed. The
/// update that the step before left pending is folded into the same read of w.
/// </summary>
internal sealed class PerturbedParameters : IPerturbedParameters
{
    // A piece must begin at a multiple of a Philox block. Spans are limited to 2³¹ elements; what is still to be rounded
    // to the compute type stays in the second-level cache.
    private const int MaxPiece = 1 << 28, MaxRoundedPiece = 1 << 14;

    // A parameter starts on a cache line, which is also the widest vector.
    private const int Alignment = 16;

    private readonly WeightLayout _layout;
    private readonly DirectionSpace _pool;
    private readonly WeightBuffer _weights;
    private readonly WeightBuffer _scratch;
    private readonly long[] _offsets; // by parameter; of those that are not here, none
    private readonly WeightViews?[] _views;
    private readonly bool[] _isPending;

    private int _seed;
    private float _epsilon;

    private int _pendingSeed;
    private float _pendingStep;

    /// <param name="layout">Of the model.</param>
    /// <param name="parameters">Those that are here, one or more.</param>
    /// <param name="pool">Where the directions come from.</param>
    /// <param name="type">What the forward pass computes in.</param>
    public PerturbedParameters(WeightLayout layout, IReadOnlyList<Parameter> parameters, DirectionSpace pool, ComputeType type)
    {
        (_layout, _pool, Parameters) = (layout, pool, parameters);
        var count = layout.Parameters.Count;
        (_offsets, _views, _isPending) = (new long[count], new WeightViews?[count], new bool[count]);
        long length = 0;
        foreach (var parameter in parameters)
        {
            _offsets[parameter.Index] = length;
            length += (parameter.Count + Alignment - 1) / Alignment * Alignment;
        }
        _weights = new WeightBuffer(length, ComputeType.F32, ModelDevice.Cpu);
        _scratch = new WeightBuffer(2 * parameters.Max(parameter => parameter.Count), type, ModelDevice.Cpu);
        foreach (var parameter in parameters)
            _views[parameter.Index] = new WeightViews(_scratch, offset: 0, sets: 2, parameter.Rows, parameter.Columns);
    }

    public IReadOnlyList<Parameter> Parameters { get; }

    public bool Has(Parameter parameter) => _views[parameter.Index] is not null;

    public void Perturb(int seed, float epsilon) => (_seed, _epsilon) = (seed, epsilon);

    public void Move(int seed, float step)
    {
        Flush(); // nothing is left unless no pass followed the move before, or it was broken off
        (_pendingSeed, _pendingStep) = (seed, step);
        foreach (var parameter in Parameters)
            _isPending[parameter.Index] = true;
    }

    public void Reset(ModelWeights version)
    {
        Array.Clear(_isPending);
        foreach (var parameter in Parameters)
            ForEachPiece(parameter.Count, (first, count) =>
                version.Buffer.Read(parameter.Offset + first, _weights.Floats(_offsets[parameter.Index] + first, count)));
    }

    public void CopyTo(ModelWeights target)
    {
        Flush();
        foreach (var parameter in Parameters)
            ForEachPiece(parameter.Count, (first, count) =>
                _weights.Floats(_offsets[parameter.Index] + first, count).CopyTo(target.Buffer.Floats(parameter.Offset + first, count)));
    }

    public Tensor Vector(Parameter parameter) => Write(parameter).Transposed;

    public Tensor Rows(Parameter parameter, Tensor ids) => Write(parameter).Matrix.index_select(1, ids);

    public IEnumerable<(long FirstRow, WeightViews Rows)> WriteByRows(Parameter parameter) => [(0, Write(parameter))];

    public WeightViews Write(Parameter parameter)
    {
        var threads = get_num_threads(); // of the products that follow
        foreach (var tensor in _layout.Tensors(parameter))
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
        return _views[parameter.Index]!;
    }

    public void Dispose()
    {
        foreach (var views in _views)
            views?.Dispose();
        _scratch.Dispose();
        _weights.Dispose();
    }

    private void Flush()
    {
        foreach (var parameter in Parameters)
        {
            if (!_isPending[parameter.Index])
                continue;
            foreach (var tensor in _layout.Tensors(parameter))
            {
                for (long first = 0; first < tensor.Count; first += MaxPiece)
                {
                    var count = (int)Math.Min(tensor.Count - first, MaxPiece);
                    Perturbation.Perturb.Advance(
                        Direction(_pendingSeed, tensor), _pendingStep, first, Weights(parameter, tensor, first, count), get_num_threads());
                }
            }
            _isPending[parameter.Index] = false;
        }
    }

    private static void ForEachPiece(long elements, Action<long, int> take)
    {
        for (long first = 0; first < elements; first += MaxPiece)
            take(first, (int)Math.Min(elements - first, MaxPiece));
    }

    private Span<float> Weights(Parameter parameter, PlacedTensor tensor, long first, int count) =>
        _weights.Floats(_offsets[parameter.Index] + (tensor.Offset - parameter.Offset) + first, count);

    private Direction Direction(int seed, PlacedTensor tensor) => _pool.Direction(seed, tensor.Ordinal, tensor.Source.Columns);

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
        var weights = Weights(parameter, tensor, first, plus.Length);
        var direction = Direction(_seed, tensor);
        if (_isPending[parameter.Index])
            Perturbation.Perturb.AdvanceThenBothSigns(
                Direction(_pendingSeed, tensor), _pendingStep, direction, _epsilon, first, weights, plus, minus, threads);
        else
            Perturbation.Perturb.BothSigns(direction, _epsilon, first, weights, plus, minus, threads);
    }
}
