using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Cuda;
using static TorchSharp.torch;

namespace FedKSeed.Training;

/// <summary>
/// w + ε·z and w − ε·z on a device: each parameter's two perturbed versions are written by one launch into a scratch buffer, with the
/// update that the step before left pending applied to w in the same pass, so that a step reads and writes w once. All vectors are written
/// at once, at the start; of matrices that are looked up only the rows in use; the output layer a piece of the vocabulary at a time.
/// Weights of 16 bits are rounded stochastically. Not thread-safe.
/// </summary>
internal sealed class DevicePerturbedWeights : IPerturbedWeights
{
    // What is perturbed by one launch: segments [First, First + Count) of the table, and the rows of the parameter that they are.
    private sealed record Piece(int First, int Count, long FirstRow, long Rows, WeightViews Views);

    private readonly ModelWeights _weights;
    private readonly DirectionSpace _pool;
    private readonly DevicePerturb _perturb;
    private readonly WeightBuffer _scratch;
    private readonly SegmentTable _segments;
    private readonly Piece[][] _pieces; // by parameter; none for what is only looked up
    private readonly bool[] _isPending; // by segment
    private readonly int _vectorSegments;

    private int _seed;
    private float _epsilon;
    private uint _draw;
    private PendingUpdate _pending;

    /// <param name="weights">w, on a device; float32, or the type of the forward pass.</param>
    /// <param name="pool">Where the directions come from.</param>
    /// <param name="type">What the forward pass computes in.</param>
    /// <param name="decoder">Which parameters are looked up, and which is the output layer.</param>
    public DevicePerturbedWeights(ModelWeights weights, DirectionSpace pool, ComputeType type, Decoder decoder)
    {
        var kernels = weights.Device.Kernels ?? throw new ArgumentException("The weights are not on a device.", nameof(weights));
        (_weights, _pool) = (weights, pool);
        _perturb = new DevicePerturb(kernels, pool, weights.Type.Stored(), type.Stored());
        Plan plan = new(weights.Layout, decoder);
        _scratch = new WeightBuffer(plan.ScratchLength, type, weights.Device);
        _segments = new SegmentTable(kernels, [.. plan.Segments]);
        _isPending = new bool[plan.Segments.Count];
        _vectorSegments = plan.VectorSegments;
        _pieces = [.. plan.Pieces.Select(pieces => pieces.Select(piece => new Piece(
            piece.First, piece.Count, piece.FirstRow, piece.Rows,
            new WeightViews(_scratch, piece.Offset, sets: 2, piece.Rows, piece.Columns))).ToArray())];
    }

    public int Sets => 2;

    public ComputeType Type => _scratch.Type;

    public ModelDevice Device => _weights.Device;

    public bool SharesVersion => false;

    public ModelWeights Current
    {
        get
        {
            Flush();
            return _weights;
        }
    }

    public Tensor Vector(Parameter parameter) => Whole(parameter).Views.Transposed;

    public Tensor Multiply(Tensor x, Parameter matrix) => bmm(x, Write(Whole(matrix)).Transposed);

    public Tensor MultiplyTransposed(Tensor x, Parameter matrix) => bmm(x, Write(Whole(matrix)).Matrix);

    public IEnumerable<(long FirstRow, Tensor Product)> MultiplyByRows(Tensor x, Parameter matrix)
    {
        foreach (var piece in _pieces[matrix.Index])
            yield return (piece.FirstRow, bmm(x, Write(piece).Transposed));
    }

    public Tensor Rows(Parameter parameter, Tensor ids)
    {
        foreach (var piece in _pieces[parameter.Index])
            Advance(piece.First, piece.Count);
        var tensor = _weights.Layout.Tensors(parameter)[0]; // what is looked up is one tensor
        var count = ids.shape[0];
        var rows = empty(Sets, count, parameter.Columns, Type.Scalar(), Device.Torch);
        nint plus = rows.Address(), minus = plus + (nint)(count * parameter.Columns * Type.Size());
        _perturb.BothSignsOfRows(
            tensor.Ordinal, ids.Address(), count, parameter.Columns, _seed, _epsilon, _weights.Buffer.Address(tensor.Offset), plus, minus);
        return rows;
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

    private void Flush()
    {
        for (var first = Array.IndexOf(_isPending, true); first >= 0; first = Array.IndexOf(_isPending, true))
        {
            var end = Array.IndexOf(_isPending, false, first);
            Advance(first, (end < 0 ? _isPending.Length : end) - first);
        }
    }

    public void Reset(ModelWeights version)
    {
        Array.Clear(_isPending);
        _draw = 0;
        _weights.CopyFrom(version);
    }

    public void Dispose()
    {
        foreach (var piece in _pieces.SelectMany(pieces => pieces))
            piece.Views.Dispose();
        _segments.Dispose();
        _scratch.Dispose();
        _weights.Dispose();
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
        _perturb.BothSigns(_segments.Range(first, count), pending, _seed, _epsilon, _weights.Buffer.Address(0), _scratch.Address(0));
        Array.Fill(_isPending, false, first, count);
    }

    private void Advance(int first, int count)
    {
        if (count == 0 || !_isPending[first])
            return;
        _perturb.Advance(_segments.Range(first, count), _pending, _weights.Buffer.Address(0));
        Array.Fill(_isPending, false, first, count);
    }

    /// <summary>
    /// Which segments there are and where their perturbed versions go: vectors side by side at the start of the scratch buffer, matrices
    /// one after the other over the rest of it.
    /// </summary>
    internal sealed class Plan
    {
        private const int Alignment = 16; // elements: vectors of memory, whatever the type

        public sealed record PlannedPiece(int First, int Count, long FirstRow, long Rows, long Columns, long Offset);

        private readonly WeightLayout _layout;

        public Plan(WeightLayout layout, Decoder decoder)
        {
            _layout = layout;
            Parameter[] vectors = [.. layout.Parameters.Where(parameter => parameter.IsVector)];
            Parameter[] matrices = [.. layout.Parameters.Where(parameter => !parameter.IsVector)];
            Pieces = [.. layout.Parameters.Select(_ => new List<PlannedPiece>())];
            foreach (var vector in vectors)
            {
                Add(vector, firstRow: 0, vector.Rows, ScratchLength);
                ScratchLength += Aligned(2 * vector.Count);
            }
            VectorSegments = Segments.Count;

            bool IsWhole(Parameter matrix) => matrix != decoder.Head && !decoder.LookedUp.Contains(matrix);
            var largest = matrices.Where(IsWhole).Max(matrix => matrix.Count); // the output layer's pieces take no more
            var start = ScratchLength;
            foreach (var matrix in matrices)
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
        public List<PlannedPiece>[] Pieces { get; }
        public int VectorSegments { get; }
        public long ScratchLength { get; private set; }

        private void Add(Parameter parameter, long firstRow, long rows, long offset)
        {
            var first = Segments.Count;
            (var begin, var end) = (parameter.Offset + firstRow * parameter.Columns, parameter.Offset
                + (firstRow + rows) * parameter.Columns);
            foreach (var tensor in _layout.Tensors(parameter))
            {
                (var from, var to) = (Math.Max(begin, tensor.Offset), Math.Min(end, tensor.Offset + tensor.Count));
                var plus = offset + from - begin;
                if (from < to)
                    Segments.Add(new Segment(tensor.Ordinal, from - tensor.Offset, to - from, from, plus, plus + end - begin));
            }
            Pieces[parameter.Index].Add(new PlannedPiece(first, Segments.Count - first, firstRow, rows, parameter.Columns, offset));
        }

        private static long Aligned(long elements) => (elements + Alignment - 1) / Alignment * Alignment;
    }
}
