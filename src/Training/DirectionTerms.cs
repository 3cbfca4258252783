using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;
using static TorchSharp.torch;

namespace FedKSeed.Training;

/// <summary>
/// The perturbation and every move so far along products of signs, which are never written down: each is a term c (x·v)·uᵀ of x·wᵀ. The
/// signs come from the vector instructions of a CPU, or from a kernel of a card. Not thread-safe.
/// </summary>
internal sealed class DirectionTerms(DirectionSpace pool, ComputeType type, ModelDevice device) : IDisposable
{
    // What an assignment with hundreds of moves holds of them at once.
    private const int AtOnce = 32;

    private readonly DeviceFactors? _factors = device.Kernels is { } kernels ? new DeviceFactors(kernels, pool) : null;
    private readonly List<(int Seed, float Step)> _moves = [];

    private Batch[]? _batches;
    private int _seed;
    private float _epsilon;

    private ModelDevice Device => device;

    /// <summary>What sums are kept in: float32, or what is wider.</summary>
    public ComputeType Wide => type == ComputeType.F64 ? ComputeType.F64 : ComputeType.F32;

    /// <summary>Every move so far.</summary>
    public IReadOnlyList<(int Seed, float Step)> Moves => _moves;

    /// <summary>The perturbation, then the moves, some at a time.</summary>
    public IReadOnlyList<Batch> Batches
    {
        get
        {
            if (_batches is not null)
                return _batches;
            Term[] terms = [new(_seed, _epsilon, -_epsilon), .. _moves.Select(move => new Term(move.Seed, move.Step, move.Step))];
            return _batches = [.. terms.Chunk(AtOnce).Select(some => new Batch(this, some))];
        }
    }

    public void Perturb(int seed, float epsilon)
    {
        ForgetBatches();
        (_seed, _epsilon) = (seed, epsilon);
    }

    public void Move(int seed, float step)
    {
        ForgetBatches();
        _moves.Add((seed, step));
    }

    /// <summary>Forgets every move.</summary>
    public void Reset()
    {
        ForgetBatches();
        _moves.Clear();
    }

    public void Dispose() => ForgetBatches();

    private void ForgetBatches()
    {
        foreach (var batch in _batches ?? [])
            batch.Dispose();
        _batches = null;
    }

    private Direction Direction(int seed, PlacedTensor tensor) => pool.Direction(seed, tensor.Ordinal, tensor.Source.Columns);

    private DirectedTensor Directed(PlacedTensor tensor) => pool.Directed(tensor.Ordinal, tensor.Source.Columns)
        ?? throw new ArgumentException($"{tensor.Source.Name} is frozen.", nameof(tensor));

    /// <summary>z times a number for each sign: what a product of signs is multiplied with, but for the tensor's own scale.</summary>
    internal readonly record struct Term(int Seed, float Plus, float Minus);

    /// <summary>Some of the terms: k products of signs of a tensor, as many as the rank of it for each.</summary>
    internal sealed class Batch(DirectionTerms all, Term[] terms) : IDisposable
    {
        // Kept as long as the terms: telling a card anything takes as long as a small product on it.
        private readonly Dictionary<(int Rank, int Exponent), Tensor> _coefficients = [];
        private readonly Lazy<Tensor> _seeds = new(
            () => tensor(Array.ConvertAll(terms, term => term.Seed), device: all.Device.Torch).DetachFromDisposeScope());

        /// <summary>[k, rows]: u of each product.</summary>
        public Tensor Rows(PlacedTensor tensor, ComputeType type) =>
            Factors(tensor, tensor.Count / tensor.Source.Columns, areRows: true, type);

        /// <summary>[k, columns]: v of each product.</summary>
        public Tensor Columns(PlacedTensor tensor, ComputeType type) => Factors(tensor, tensor.Source.Columns, areRows: false, type);

        /// <summary>[2, k]: what each product is multiplied with, for either sign. It belongs to the terms: do not change it.</summary>
        public Tensor Coefficients(PlacedTensor of)
        {
            var directed = all.Directed(of);
            (var rank, var exponent) = (directed.Rank, directed.Exponent);
            if (_coefficients.TryGetValue((rank, exponent), out var known))
                return known;
            var width = terms.Length * rank;
            var values = new float[2 * width];
            for (var k = 0; k < terms.Length; k++)
            {
                values.AsSpan(k * rank, rank).Fill(MathF.ScaleB(terms[k].Plus, exponent));
                values.AsSpan(width + k * rank, rank).Fill(MathF.ScaleB(terms[k].Minus, exponent));
            }
            return _coefficients[(rank, exponent)] =
                tensor(values, [2, width], all.Wide.Scalar(), all.Device.Torch).DetachFromDisposeScope();
        }

        public void Dispose()
        {
            foreach (var coefficients in _coefficients.Values)
                coefficients.Dispose();
            if (_seeds.IsValueCreated)
                _seeds.Value.Dispose();
        }

        private Tensor Factors(PlacedTensor of, long elements, bool areRows, ComputeType type)
        {
            var directed = all.Directed(of);
            if (all._factors is not { } device)
                return OnProcessor(of, directed.Rank, elements, areRows).to(type.Scalar());
            var factors = empty(terms.Length * directed.Rank, elements, type.Scalar(), all.Device.Torch);
            (var seeds, var target) = (_seeds.Value.Address(), factors.Address());
            if (areRows)
                device.Rows(directed, seeds, terms.Length, elements, type.Stored(), target);
            else
                device.Columns(directed, seeds, terms.Length, elements, type.Stored(), target);
            return factors;
        }

        private unsafe Tensor OnProcessor(PlacedTensor of, int rank, long elements, bool areRows)
        {
            var factors = empty(terms.Length * rank, elements, ScalarType.Float32);
            var address = (float*)factors.Address();
            foreach (var term in terms)
            {
                var direction = all.Direction(term.Seed, of);
                for (var product = 0; product < rank; product++, address += elements)
                {
                    Span<float> signs = new(address, checked((int)elements));
                    if (areRows)
                        LowRankFactors.Rows(direction, product, signs);
                    else
                        LowRankFactors.Columns(direction, product, signs);
                }
            }
            return factors;
        }
    }
}
