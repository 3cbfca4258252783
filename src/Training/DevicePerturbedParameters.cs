using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;
using static TorchSharp.torch;

namespace FedKSeed.Training;

/// <summary>
/// <see cref="IPerturbedParameters"/> on a card: each parameter's two perturbed versions are written by one launch into a scratch buffer,
/// with the update that the step before left pending applied to w in the same pass, so that a step reads and writes w once. All vectors
/// are written at once, at the start; of matrices that are looked up only the rows in use; the output layer a piece of the vocabulary at
/// a time. Weights of 16 bits are rounded stochastically.
/// </summary>
internal sealed class DevicePerturbedParameters : IPerturbedParameters
{
    // What is perturbed by one launch: segments [First, First + Count) of the table, and the rows of the parameter that they are.
    private sealed record Piece(int First, int Count, long FirstRow, WeightViews Views);

    private readonly WeightLayout _layout;
    private readonly DevicePerturb _perturb;
    private readonly WeightBuffer _weights;
    private readonly WeightBuffer _scratch;
    private readonly SegmentTable _segments;
    private readonly Piece[]?[] _pieces; // by parameter; null for those that are not here
    private readonly long[] _offsets; // by parameter
    private readonly bool[] _isPending; // by segment
    private readonly int _vectorSegments;

    private int _seed;
    private float _epsilon;
    private uint _draw;
    private PendingUpdate _pending;

    /// <param name="decoder">Whose layout it is, which parameters are looked up, and which is the output layer.</param>
    /// <param name="parameters">Those that are here, one or more.</param>
    /// <param name="pool">Where the directions come from.</param>
    /// <param name="kept">What w is kept in: float32, or the type of the forward pass.</param>
    /// <param name="type">What the forward pass computes in.</param>
    /// <param name="device">Where.</param>
    public DevicePerturbedParameters(
        Decoder decoder, IReadOnlyList<Parameter> parameters, DirectionSpace pool, ComputeType kept, ComputeType type, ModelDevice device)
    {
        var kernels = device.Kernels ?? throw new ArgumentException("It has no kernels of ours.", nameof(device));
        (_layout, Parameters) = (decoder.Layout, parameters);
        _perturb = new DevicePerturb(kernels, pool, kept.Stored(), type.Stored());
        Plan plan = new(decoder, parameters, pool);
        _weights = new WeightBuffer(plan.Length, kept, device);
        _scratch = new WeightBuffer(plan.ScratchLength, type, device);
        _segments = new SegmentTable(kernels, [.. plan.Segments]);
        _isPending = new bool[plan.Segments.Count];
        _vectorSegments = plan.VectorSegments;
        _offsets = plan.Offsets;
        _pieces = new Piece[]?[decoder.Layout.Parameters.Count];
        foreach (var parameter in parameters)
        {
            _pieces[parameter.Index] = [.. plan.Pieces[parameter.Index].Select(piece => new Piece(
                piece.First, piece.Count, piece.FirstRow,
                new WeightViews(_scratch, piece.Offset, sets: 2, piece.Rows, parameter.Columns)))];
        }
    }

    public IReadOnlyList<Parameter> Parameters { get; }

    public bool Has(Parameter parameter) => _pieces[parameter.Index] is not null;

    public void Reset(ModelWeights version)
    {
        if (version.Type != _weights.Type && _weights.Type != ComputeType.F32)
            throw new ArgumentException($"A version in {version.Type.Name()} is not copied to {_weights.Type.Name()}.", nameof(version));
        Array.Clear(_isPending);
        _draw = 0;
        foreach (var parameter in Parameters)
            Copy(parameter, version.Buffer, parameter.Offset, _weights, _offsets[parameter.Index]);
    }

    public void CopyTo(ModelWeights target)
    {
        Flush();
        foreach (var parameter in Parameters)
            Copy(parameter, _weights, _offsets[parameter.Index], target.Buffer, parameter.Offset);
    }

    public void Perturb(int seed, float epsilon)
    {
        (_seed, _epsilon) = (seed, epsilon);
        Write(0, _vectorSegments);
    }

    public void Move(int seed, float step)
    {
        Flush(); // nothing is left unless no pass followed the move before, or it was broken off
        _pending = new PendingUpdate(seed, step, _draw++);
        Array.Fill(_isPending, true);
    }

    public Tensor Vector(Parameter parameter) => Whole(parameter).Views.Transposed;

    public Tensor Rows(Parameter parameter, Tensor ids)
    {
        foreach (var piece in _pieces[parameter.Index]!)
            Advance(piece.First, piece.Count);
        var tensor = _layout.Tensors(parameter)[0]; // what is looked up is one tensor
        var count = ids.shape[0];
        var rows = empty(2, count, parameter.Columns, _scratch.Type.Scalar(), _scratch.Device.Torch);
        nint plus = rows.Address(), minus = plus + (nint)(count * parameter.Columns * _scratch.Type.Size());
        _perturb.BothSignsOfRows(
            tensor.Ordinal, ids.Address(), count, parameter.Columns, _seed, _epsilon, _weights.Address(_offsets[parameter.Index]), plus,
            minus);
        return rows;
    }

    public WeightViews Write(Parameter parameter) => Write(Whole(parameter));

    public IEnumerable<(long FirstRow, WeightViews Rows)> WriteByRows(Parameter parameter) =>
        _pieces[parameter.Index]!.Select(piece => (piece.FirstRow, Write(piece)));

    public void Dispose()
    {
        foreach (var piece in _pieces.SelectMany(pieces => pieces ?? []))
            piece.Views.Dispose();
        _segments.Dispose();
        _scratch.Dispose();
        _weights.Dispose();
    }

    private static void Copy(Parameter parameter, WeightBuffer from, long first, WeightBuffer to, long firstOfTarget)
    {
        using var mode = no_grad();
        using Tensor source = from.Tensor.narrow(0, first, parameter.Count), target = to.Tensor.narrow(0, firstOfTarget, parameter.Count);
        target.copy_(source);
    }

    private void Flush()
    {
        for (var first = Array.IndexOf(_isPending, true); first >= 0; first = Array.IndexOf(_isPending, true))
        {
            var end = Array.IndexOf(_isPending, false, first);
            Advance(first, (end < 0 ? _isPending.Length : end) - first);
        }
    }

    private Piece Whole(Parameter parameter) => _pieces[parameter.Index] is [var piece]
        ? piece
        : throw new InvalidOperationException($"{parameter.Parts[0].Name} is perturbed by rows only.");

    private WeightViews Write(Piece piece)
    {
        Write(piece.First, piece.Count);
        return piece.Views;
    }

    // The segments of one launch are pending together or not at all.
    private void Write(int first, int count)
    {
        if (count == 0)
            return;
        PendingUpdate? pending = _isPending[first] ? _pending : null;
        _perturb.BothSigns(_segments.Range(first, count), pending, _seed, _epsilon, _weights.Address(0), _scratch.Address(0));
        Array.Fill(_isPending, false, first, count);
    }

    private void Advance(int first, int count)
    {
        if (count == 0 || !_isPending[first])
            return;
        _perturb.Advance(_segments.Range(first, count), _pending, _weights.Address(0));
        Array.Fill(_isPending, false, first, count);
    }

    /// <summary>
    /// Where parameters lie one after the other, which segments there are, and where their perturbed versions go: vectors side by side at
    /// the start of the scratch buffer, matrices one after the other over the rest of it.
    /// </summary>
    internal sealed class Plan
    {
        private const int Alignment = 16; // elements: vectors of memory, whatever the type

        public sealed record PlannedPiece(int First, int Count, long FirstRow, long Rows, long Offset);

        private readonly WeightLayout _layout;
        private readonly DirectionSpace _pool;

        public Plan(Decoder decoder, IReadOnlyList<Parameter> parameters, DirectionSpace pool)
        {
            (_layout, _pool) = (decoder.Layout, pool);
            Offsets = new long[_layout.Parameters.Count];
            foreach (var parameter in parameters)
            {
                Offsets[parameter.Index] = Length;
                Length += Aligned(parameter.Count);
            }
            Pieces = [.. _layout.Parameters.Select(_ => new List<PlannedPiece>())];
            foreach (var vector in parameters.Where(parameter => parameter.IsVector))
            {
                Add(vector, firstRow: 0, vector.Rows, ScratchLength);
                ScratchLength += Aligned(2 * vector.Count);
            }
            VectorSegments = Segments.Count;

            bool IsWhole(Parameter matrix) => !matrix.IsVector && matrix != decoder.Head && !decoder.LookedUp.Contains(matrix);
            // The output layer's pieces take no more than the largest matrix of the model does, whether that is here or not.
            var largest = _layout.Parameters.Where(IsWhole).Max(matrix => matrix.Count);
            var start = ScratchLength;
            foreach (var matrix in parameters.Where(parameter => !parameter.IsVector))
            {
                var rowsAtOnce = IsWhole(matrix) ? matrix.Rows : Math.Clamp(largest / matrix.Columns, 1, matrix.Rows);
                for (long row = 0; row < matrix.Rows; row += rowsAtOnce)
                {
                    var rows = Math.Min(rowsAtOnce, matrix.Rows - row);
                    Add(matrix, row, rows, start);
                    ScratchLength = Math.Max(ScratchLength, start + 2 * rows * matrix.Columns);
                }
            }
        }

        public List<Segment> Segments { get; } = [];
        public List<PlannedPiece>[] Pieces { get; } // by parameter
        public long[] Offsets { get; } // by parameter
        public int VectorSegments { get; }
        public long Length { get; private set; }
        public long ScratchLength { get; private set; }

        private void Add(Parameter parameter, long firstRow, long rows, long offset)
        {
            var first = Segments.Count;
            (var begin, var end) = (firstRow * parameter.Columns, (firstRow + rows) * parameter.Columns); // in the parameter
            foreach (var tensor in _layout.Tensors(parameter))
            {
                var place = tensor.Offset - parameter.Offset;
                (var from, var to) = (Math.Max(begin, place), Math.Min(end, place + tensor.Count));
                if (from >= to)
                    continue;
                var plus = offset + from - begin;
                Segments.Add(new Segment(
                    _pool.Directed(tensor.Ordinal, tensor.Source.Columns), from - place, to - from, Offsets[parameter.Index] + from,
                    plus, plus + end - begin));
            }
            Pieces[parameter.Index].Add(new PlannedPiece(first, Segments.Count - first, firstRow, rows, offset));
        }

        private static long Aligned(long elements) => (elements + Alignment - 1) / Alignment * Alignment;
    }
}
