using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Directions;
using static TorchSharp.torch;

namespace FedKSeed.Training;

/// <summary>
/// w + ε·z and w − ε·z on the CPU. What moves along directions without structure is a copy of the trainer's own, perturbed as the pass
/// asks for it: <see cref="PerturbedParameters"/>. What is frozen, or moves along products of signs, is read where the version lies,
/// once for both signs, and never copied, perturbed or moved: y± = x·Wᵀ + Σ c± (x·v)·uᵀ, a product for ±ε and one for each move so far,
/// added in the accumulators of the product, before its one rounding to the compute type. Not thread-safe: each trainer has its own.
/// </summary>
internal sealed class PerturbedWeights : IPerturbedWeights
{
    // What an assignment with hundreds of moves holds of them at once.
    private const int ProductsAtOnce = 32;

    /// <summary>A matrix as it is read: [rows, columns], and turned.</summary>
    private readonly record struct Shared(Tensor Matrix, Tensor Turned);

    /// <summary>z times a number for each sign: what a product of signs is multiplied with, but for the tensor's own scale.</summary>
    private readonly record struct Term(int Seed, float Plus, float Minus);

    private readonly CausalLanguageModel _model;
    private readonly DirectionSpace _pool;
    private readonly PerturbedParameters? _own;
    private readonly Shared?[] _shared; // by parameter; null for those of its own
    private readonly List<(int Seed, float Step)> _moves = [];

    private ModelWeights? _version; // where it is shared
    private ModelWeights? _base; // its own, until the first reset
    private ModelWeights? _current;
    private bool _stands;
    private int _seed;
    private float _epsilon;

    public PerturbedWeights(CausalLanguageModel model, DirectionSpace pool)
    {
        (_model, _pool) = (model, pool);
        var parameters = model.Decoder.Layout.Parameters;
        Parameter[] own = [.. parameters.Where(parameter => !IsShared(parameter))];
        _own = own.Length == 0 ? null : new PerturbedParameters(model.Decoder.Layout, own, pool, model.ComputeType);
        _shared = new Shared?[parameters.Count];
    }

    public int Sets => 2;

    public ComputeType Type => _model.ComputeType;

    public ModelDevice Device => _model.Device;

    public bool SharesVersion => _own?.Parameters.Count != _model.Decoder.Layout.Parameters.Count;

    public ModelWeights Current
    {
        get
        {
            RequireVersion();
            _current ??= new ModelWeights(_model.Decoder.Layout, ComputeType.F32, Device);
            if (SharesVersion)
            {
                _current.CopyFrom(_version!);
                foreach (var parameter in _model.Decoder.Layout.Parameters)
                    if (!IsOwn(parameter))
                        MoveThere(parameter, _current);
            }
            _own?.CopyTo(_current);
            return _current;
        }
    }

    public Tensor Vector(Parameter parameter)
    {
        RequireVersion();
        return IsOwn(parameter) ? _own!.Write(parameter).Transposed : SharedMatrix(parameter).Turned.unsqueeze(0);
    }

    public Tensor Rows(Parameter parameter, Tensor ids)
    {
        RequireVersion();
        if (IsOwn(parameter))
            return _own!.Write(parameter).Matrix.index_select(1, ids);
        using var scope = NewDisposeScope();
        var rows = SharedMatrix(parameter).Matrix.index_select(0, ids).unsqueeze(0); // [1, N, columns]
        var (tensor, direction) = (_model.Decoder.Layout.Tensors(parameter)[0], Direction(parameter, 0, _seed)); // it is one tensor
        if (direction.IsFrozen)
            return rows.MoveToOuterDisposeScope();
        var wide = rows.to(Accumulated(Type)).expand(2, -1, -1).contiguous(); // [2, N, columns]
        foreach (var terms in Terms())
        {
            var all = Factors(parameter, terms, tensor.Count / tensor.Source.Columns, areRows: true, part: 0, Accumulated(Type));
            var u = all.index_select(1, ids); // [k, N]
            var v = Factors(parameter, terms, tensor.Source.Columns, areRows: false, part: 0, Accumulated(Type)); // [k, columns]
            var weighted = (u.unsqueeze(0) * Coefficients(parameter, terms).view(2, -1, 1)).transpose(1, 2); // [2, N, k]
            wide.add_(weighted.matmul(v));
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

    public IEnumerable<(long FirstRow, Tensor Product)> MultiplyByRows(Tensor x, Parameter matrix) => [(0, Multiply(x, matrix))];

    public void Perturb(int seed, float epsilon)
    {
        (_seed, _epsilon) = (seed, epsilon);
        _own?.Perturb(seed, epsilon);
    }

    public void Move(int seed, float step)
    {
        RequireVersion();
        if (SharesVersion)
            _moves.Add((seed, step));
        _own?.Move(seed, step);
    }

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

    private void ForgetShared()
    {
        _moves.Clear();
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
        var sum = empty(flat.shape[0], matrix.shape[1], Type.Scalar()); // [2N, out]
        var isFirst = true;
        foreach (var terms in Terms())
        {
            AddTerms(flat, sum, parameter, terms, isTurned, isFirst);
            isFirst = false;
        }
        return sum.addmm_(flat, matrix, 1, 1).view(2, -1, matrix.shape[1]).MoveToOuterDisposeScope();
    }

    private bool IsFrozen(Parameter parameter)
    {
        foreach (var tensor in _model.Decoder.Layout.Tensors(parameter))
            if (_pool.Directed(tensor.Ordinal, tensor.Source.Columns) is not null)
                return false;
        return true;
    }

    /// <summary>Adds Σ c (x·v)·uᵀ of some terms to a sum, tensor by tensor.</summary>
    private void AddTerms(Tensor x, Tensor sum, Parameter parameter, ReadOnlyMemory<Term> terms, bool isTurned, bool isFirst)
    {
        var tensors = _model.Decoder.Layout.Tensors(parameter).ToArray();
        long firstRow = 0;
        for (var part = 0; part < tensors.Length; part++)
        {
            var columns = tensors[part].Source.Columns;
            var rows = tensors[part].Count / columns;
            var input = isTurned ? x.narrow(1, firstRow, rows) : x;
            var output = isTurned ? sum : sum.narrow(1, firstRow, rows);
            var isFresh = isFirst && (!isTurned || part == 0);
            firstRow += rows;
            if (Direction(parameter, part, _seed).IsFrozen)
            {
                if (isFresh)
                    output.zero_();
                continue;
            }
            var u = Factors(parameter, terms, rows, areRows: true, part, Type.Scalar()); // [k, rows]
            var v = Factors(parameter, terms, columns, areRows: false, part, Type.Scalar()); // [k, columns]
            var seen = input.mm((isTurned ? u : v).t()); // [2N, k]
            // In float32, whatever x is in: ε itself loses nothing.
            var weighted = (seen.view(2, -1, seen.shape[1]).to(Accumulated(Type)) * Coefficients(parameter, terms, part).unsqueeze(1))
                .to(Type.Scalar()).view(-1, seen.shape[1]); // [2N, k]
            output.addmm_(weighted, isTurned ? v : u, isFresh ? 0 : 1, 1);
        }
    }

    /// <summary>The perturbation, then the moves, some at a time.</summary>
    private IEnumerable<ReadOnlyMemory<Term>> Terms()
    {
        Term[] terms = [new(_seed, _epsilon, -_epsilon), .. _moves.Select(move => new Term(move.Seed, move.Step, move.Step))];
        for (var first = 0; first < terms.Length; first += ProductsAtOnce)
            yield return terms.AsMemory(first, Math.Min(ProductsAtOnce, terms.Length - first));
    }

    private Direction Direction(Parameter parameter, int part, int seed)
    {
        var tensor = _model.Decoder.Layout.Tensors(parameter)[part];
        return _pool.Direction(seed, tensor.Ordinal, tensor.Source.Columns);
    }

    /// <summary>[k, elements]: u or v of each term and each product of its direction.</summary>
    private unsafe Tensor Factors(
        Parameter parameter, ReadOnlyMemory<Term> terms, long elements, bool areRows, int part, ScalarType type)
    {
        var rank = Direction(parameter, part, _seed).Of.Rank;
        var factors = empty(terms.Length * rank, elements, ScalarType.Float32);
        var address = (float*)factors.Address();
        for (var k = 0; k < terms.Length; k++)
        {
            var direction = Direction(parameter, part, terms.Span[k].Seed);
            for (var product = 0; product < rank; product++, address += elements)
            {
                Span<float> signs = new(address, checked((int)elements));
                if (areRows)
                    LowRankFactors.Rows(direction, product, signs);
                else
                    LowRankFactors.Columns(direction, product, signs);
            }
        }
        return factors.to(type);
    }

    /// <summary>[2, k]: what each product is multiplied with, for either sign.</summary>
    private Tensor Coefficients(Parameter parameter, ReadOnlyMemory<Term> terms, int part = 0)
    {
        var of = Direction(parameter, part, _seed).Of;
        var width = terms.Length * of.Rank;
        var values = new float[2 * width];
        for (var k = 0; k < terms.Length; k++)
        {
            var term = terms.Span[k];
            values.AsSpan(k * of.Rank, of.Rank).Fill(MathF.ScaleB(term.Plus, of.Exponent));
            values.AsSpan(width + k * of.Rank, of.Rank).Fill(MathF.ScaleB(term.Minus, of.Exponent));
        }
        return tensor(values, [2, width], Accumulated(Type));
    }

    /// <summary>What sums are kept in: float32, or what is wider.</summary>
    private static ScalarType Accumulated(ComputeType type) => type == ComputeType.F64 ? ScalarType.Float64 : ScalarType.Float32;

    private void MoveThere(Parameter parameter, ModelWeights weights)
    {
        foreach (var tensor in _model.Decoder.Layout.Tensors(parameter))
        {
            foreach (var (seed, step) in _moves)
            {
                for (long first = 0; first < tensor.Count; first += 1 << 28)
                {
                    var count = (int)Math.Min(tensor.Count - first, 1 << 28);
                    Perturbation.Perturb.Advance(
                        _pool.Direction(seed, tensor.Ordinal, tensor.Source.Columns), step, first,
                        weights.Buffer.Floats(tensor.Offset + first, count), get_num_threads());
                }
            }
        }
    }
}
