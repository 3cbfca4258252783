using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;
using static TorchSharp.torch;

namespace FedKSeed.Training;

/// <summary>
/// w + ε·z and w − ε·z, S = 2, around weights that move; on the CPU and on a card. What moves along directions without structure is a copy
/// of the trainer's own, perturbed as the pass asks for it: <see cref="IPerturbedParameters"/>. What is frozen, or moves along products of
/// signs, is read where the version lies, once for both signs, and never copied, perturbed or moved: y± = x·Wᵀ + Σ c± (x·v)·uᵀ, a product
/// for ±ε and one for each move so far, added in the accumulators of the product, before its one rounding to the compute type. Not
/// thread-safe: each trainer has its own.
/// </summary>
internal sealed class PerturbedWeights : IWeights, IDisposable
{
    // Elements that are moved at once.
    private const int MaxPiece = 1 << 28;

    /// <summary>A matrix as it is read: [rows, columns], and turned.</summary>
    private readonly record struct Shared(Tensor Matrix, Tensor Turned);

    private readonly CausalLanguageModel _model;
    private readonly DirectionSpace _pool;
    private readonly IPerturbedParameters? _own;
    private readonly DirectionTerms _terms;
    private readonly Shared?[] _shared; // by parameter; null for those of its own

    private ModelWeights? _version; // where it is shared
    private ModelWeights? _base; // its own, until the first reset
    private ModelWeights? _current;
    private bool _stands;

    /// <param name="model">The model; it stands at its base.</param>
    /// <param name="pool">Where the directions come from.</param>
    /// <param name="keepsFloat32">Whether a card, too, keeps what is its own in float32 where the model computes in 16 bits.</param>
    public PerturbedWeights(CausalLanguageModel model, DirectionSpace pool, bool keepsFloat32 = false)
    {
        (_model, _pool, _terms) = (model, pool, new DirectionTerms(pool, model.ComputeType, model.Device));
        var parameters = model.Decoder.Layout.Parameters;
        Parameter[] own = [.. parameters.Where(parameter => !IsShared(parameter))];
        if (own.Length > 0)
        {
            _own = model.Device.Kernels is null
                ? new PerturbedParameters(model.Decoder.Layout, own, pool, model.ComputeType)
                : new DevicePerturbedParameters(
                    model.Decoder, own, pool, keepsFloat32 ? ComputeType.F32 : model.ComputeType, model.ComputeType, model.Device);
        }
        _shared = new Shared?[parameters.Count];
    }

    public int Sets => 2;

    public ComputeType Type => _model.ComputeType;

    public ModelDevice Device => _model.Device;

    /// <summary>Whether the version that it was reset to is read from then on, and not only copied: it must outlast that.</summary>
    public bool SharesVersion => _own?.Parameters.Count != _model.Decoder.Layout.Parameters.Count;

    /// <summary>w, after every move, in float32. What is given is the weights' own, and good until the next move.</summary>
    public ModelWeights Current
    {
        get
        {
            RequireVersion();
            _current ??= new ModelWeights(_model.Decoder.Layout, ComputeType.F32, Device);
            if (SharesVersion)
            {
                _current.CopyFrom(_version!);
                MoveShared(_current);
            }
            _own?.CopyTo(_current);
            return _current;
        }
    }

    public Tensor Vector(Parameter parameter)
    {
        RequireVersion();
        return IsOwn(parameter) ? _own!.Vector(parameter) : SharedMatrix(parameter).Turned.unsqueeze(0);
    }

    public Tensor Rows(Parameter parameter, Tensor ids)
    {
        RequireVersion();
        if (IsOwn(parameter))
            return _own!.Rows(parameter, ids);
        using var scope = NewDisposeScope();
        var rows = SharedMatrix(parameter).Matrix.index_select(0, ids).unsqueeze(0); // [1, N, columns]
        if (IsFrozen(parameter))
            return rows.MoveToOuterDisposeScope();
        var tensor = _model.Decoder.Layout.Tensors(parameter)[0]; // it is one tensor
        var wide = rows.to(_terms.Wide.Scalar()).expand(2, -1, -1).contiguous(); // [2, N, columns]
        foreach (var terms in _terms.Batches)
        {
            var u = terms.Rows(tensor, _terms.Wide).index_select(1, ids); // [k, N]
            var v = terms.Columns(tensor, _terms.Wide); // [k, columns]
            var weighted = (u.unsqueeze(0) * terms.Coefficients(tensor).view(2, -1, 1)).transpose(1, 2); // [2, N, k]
            wide.Add(weighted.matmul(v));
        }
        return wide.to(Type.Scalar()).MoveToOuterDisposeScope();
    }

    public Tensor Multiply(Tensor x, Parameter matrix)
    {
        RequireVersion();
        return IsOwn(matrix) ? bmm(x.expand(2, -1, -1), _own!.Write(matrix).Transposed) : Product(x, matrix, isTurned: false);
    }

    public Tensor MultiplyTransposed(Tensor x, Parameter matrix)
    {
        RequireVersion();
        return IsOwn(matrix) ? bmm(x.expand(2, -1, -1), _own!.Write(matrix).Matrix) : Product(x, matrix, isTurned: true);
    }

    public IEnumerable<(long FirstRow, Tensor Product)> MultiplyByRows(Tensor x, Parameter matrix)
    {
        RequireVersion();
        if (!IsOwn(matrix))
            return [(0, Product(x, matrix, isTurned: false))];
        var both = x.expand(2, -1, -1);
        return _own!.WriteByRows(matrix).Select(piece => (piece.FirstRow, bmm(both, piece.Rows.Transposed)));
    }

    /// <summary>From here on the weights are perturbed along this seed's direction.</summary>
    public void Perturb(int seed, float epsilon)
    {
        RequireVersion();
        _terms.Perturb(seed, epsilon);
        _own?.Perturb(seed, epsilon);
    }

    /// <summary>w ← w + step·z, to be done when w is next read, or never written down.</summary>
    public void Move(int seed, float step)
    {
        RequireVersion();
        if (SharesVersion)
            _terms.Move(seed, step);
        _own?.Move(seed, step);
    }

    /// <summary>Goes to a version, forgetting every move.</summary>
    public void Reset(ModelWeights version)
    {
        if (SharesVersion && version.Type != Type)
            throw new ArgumentException($"A version in {version.Type.Name()} cannot be read in {Type.Name()}.", nameof(version));
        if (!ReferenceEquals(version.Layout, _model.Decoder.Layout))
            throw new ArgumentException("The weights belong to another model.", nameof(version));
        ForgetShared();
        _base?.Dispose();
        _base = null;
        _version = SharesVersion ? version : null;
        _own?.Reset(version);
        _stands = true;
    }

    public void Dispose()
    {
        ForgetShared();
        _terms.Dispose();
        _own?.Dispose();
        _base?.Dispose();
        _current?.Dispose();
    }

    /// <summary>It stands at the base model until it is reset to a version.</summary>
    private void RequireVersion()
    {
        if (_stands)
            return;
        var weights = _model.BaseWeights();
        Reset(weights);
        if (SharesVersion)
            _base = weights;
        else
            weights.Dispose();
    }

    private bool IsOwn(Parameter parameter) => _own?.Has(parameter) == true;

    private bool IsShared(Parameter parameter)
    {
        foreach (var tensor in _model.Decoder.Layout.Tensors(parameter))
            if (_pool.Directed(tensor.Ordinal, tensor.Source.Columns) is { Rank: 0 })
                return false;
        return true;
    }

    private bool IsFrozen(PlacedTensor tensor) => _pool.Directed(tensor.Ordinal, tensor.Source.Columns) is null;

    private bool IsFrozen(Parameter parameter)
    {
        foreach (var tensor in _model.Decoder.Layout.Tensors(parameter))
            if (!IsFrozen(tensor))
                return false;
        return true;
    }

    private void ForgetShared()
    {
        _terms.Reset();
        for (var index = 0; index < _shared.Length; index++)
        {
            _shared[index]?.Turned.Dispose();
            _shared[index]?.Matrix.Dispose();
            _shared[index] = null;
        }
    }

    private Shared SharedMatrix(Parameter parameter)
    {
        if (_shared[parameter.Index] is { } known)
            return known;
        var matrix = _version!.Matrix(parameter).squeeze(0).DetachFromDisposeScope();
        var shared = new Shared(matrix, matrix.t().DetachFromDisposeScope());
        _shared[parameter.Index] = shared;
        return shared;
    }

    /// <summary>x [2, N, in] by a matrix that is shared: [2, N, out]; of x [1, N, in] by a frozen one [1, N, out].</summary>
    private Tensor Product(Tensor x, Parameter parameter, bool isTurned)
    {
        using var scope = NewDisposeScope();
        var shared = SharedMatrix(parameter);
        var matrix = isTurned ? shared.Matrix : shared.Turned; // [in, out]
        if (IsFrozen(parameter))
            return x.reshape(-1, x.shape[2]).mm(matrix).view(x.shape[0], -1, matrix.shape[1]).MoveToOuterDisposeScope();
        var flat = x.expand(2, -1, -1).reshape(-1, x.shape[2]); // [2N, in]
        var sum = empty(flat.shape[0], matrix.shape[1], Type.Scalar(), Device.Torch); // [2N, out]
        var isFirst = true;
        foreach (var terms in _terms.Batches)
        {
            AddTerms(flat, sum, parameter, terms, isTurned, isFirst);
            isFirst = false;
        }
        return sum.addmm_(flat, matrix, 1, 1).view(2, -1, matrix.shape[1]).MoveToOuterDisposeScope();
    }

    /// <summary>Adds Σ c (x·v)·uᵀ of some terms to a sum, tensor by tensor.</summary>
    private void AddTerms(Tensor x, Tensor sum, Parameter parameter, DirectionTerms.Batch terms, bool isTurned, bool isFirst)
    {
        var tensors = _model.Decoder.Layout.Tensors(parameter).ToArray();
        long firstRow = 0;
        for (var part = 0; part < tensors.Length; part++)
        {
            var tensor = tensors[part];
            var rows = tensor.Count / tensor.Source.Columns;
            var input = isTurned ? x.narrow(1, firstRow, rows) : x;
            var output = isTurned ? sum : sum.narrow(1, firstRow, rows);
            var isFresh = isFirst && (!isTurned || part == 0);
            firstRow += rows;
            if (IsFrozen(tensor))
            {
                if (isFresh)
                    output.zero_();
                continue;
            }
            Tensor u = terms.Rows(tensor, Type), v = terms.Columns(tensor, Type); // [k, rows], [k, columns]
            var seen = input.mm((isTurned ? u : v).t()); // [2N, k]
            // In float32, whatever x is in: ε itself loses nothing.
            var weighted = (seen.view(2, -1, seen.shape[1]).to(_terms.Wide.Scalar()) * terms.Coefficients(tensor).unsqueeze(1))
                .to(Type.Scalar()).view(-1, seen.shape[1]); // [2N, k]
            output.addmm_(weighted, isTurned ? v : u, isFresh ? 0 : 1, 1);
        }
    }

    /// <summary>Writes the moves of what is shared into float32 weights.</summary>
    private void MoveShared(ModelWeights weights)
    {
        PlacedTensor[] tensors = [.. _model.Decoder.Layout.Parameters.Where(parameter => !IsOwn(parameter))
            .SelectMany(parameter => _model.Decoder.Layout.Tensors(parameter).ToArray()).Where(tensor => !IsFrozen(tensor))];
        if (tensors.Length == 0 || _terms.Moves.Count == 0)
            return;
        if (Device.Kernels is { } kernels)
        {
            using SegmentTable table = new(kernels, [.. tensors.Select(tensor => new Segment(
                _pool.Directed(tensor.Ordinal, tensor.Source.Columns), First: 0, tensor.Count, tensor.Offset, Plus: 0, Minus: 0))]);
            DevicePerturb perturb = new(kernels, _pool, ComputeType.F32.Stored(), ComputeType.F32.Stored());
            foreach ((var seed, var step) in _terms.Moves)
                perturb.Advance(table.Range(0, tensors.Length), new PendingUpdate(seed, step, Draw: 0), weights.Buffer.Address(0));
            return;
        }
        foreach (var tensor in tensors)
        {
            foreach ((var seed, var step) in _terms.Moves)
            {
                for (long first = 0; first < tensor.Count; first += MaxPiece)
                {
                    var count = (int)Math.Min(tensor.Count - first, MaxPiece);
                    Perturbation.Perturb.Advance(
                        _pool.Direction(seed, tensor.Ordinal, tensor.Source.Columns), step, first,
                        weights.Buffer.Floats(tensor.Offset + first, count), get_num_threads());
                }
            }
        }
    }
}
