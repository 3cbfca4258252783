using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Generation;
using FedKSeed.LanguageModels.Weights;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Architectures;

/// <summary>Tokens to be run through a model: N in all, in B texts of at most T; index tensors are int64.</summary>
internal sealed record DecoderInput
{
    /// <summary>B.</summary>
    public required long Rows { get; init; }

    /// <summary>T.</summary>
    public required long Length { get; init; }

    /// <summary>[N], token ids, text after text.</summary>
    public required Tensor Ids { get; init; }

    /// <summary>[M], indices into <see cref="Ids"/> where logits are wanted.</summary>
    public required Tensor Positions { get; init; }

    /// <summary>[B·T], the token in each cell of attention's rectangle; null where the texts fill it, N = B·T.</summary>
    public Tensor? Cells { get; init; }

    /// <summary>[N], the cell of each token; null where the texts fill the rectangle.</summary>
    public Tensor? TokenCells { get; init; }

    public static DecoderInput Of(TokenBatch batch, ModelDevice device)
    {
        var isPadded = batch.TokenCount < batch.Cells.Length;
        return new DecoderInput
        {
            Rows = batch.Rows,
            Length = batch.Length,
            Ids = tensor(batch.Ids, device: device.Torch),
            Positions = tensor(batch.Positions, device: device.Torch),
            Cells = isPadded ? tensor(batch.Cells, device: device.Torch) : null,
            TokenCells = isPadded ? tensor(batch.TokenCells, device: device.Torch) : null,
        };
    }
}

/// <summary>
/// The mathematics of one architecture, free of weights: it says which tensors it needs (<see cref="Layout"/>) and what is
/// multiplied by what. One file each; S is the number of weight sets (<see cref="IWeights.Sets"/>). Immutable, so shared by all threads.
/// </summary>
internal abstract class Decoder
{
    public abstract WeightLayout Layout { get; }
    public abstract int VocabularySize { get; }

    /// <summary>Longest sequence, in tokens.</summary>
    public abstract int MaxLength { get; }

    /// <summary>The output layer, stored [V, H].</summary>
    public abstract Parameter Head { get; }

    /// <summary>Matrices of which a pass takes the rows that its tokens name.</summary>
    public abstract IReadOnlyList<Parameter> LookedUp { get; }

    /// <summary>
    /// What goes into the output layer, [S, M, H] at <see cref="DecoderInput.Positions"/>. With a cache the tokens go on from those in it.
    /// </summary>
    public abstract Tensor Hidden(IWeights weights, DecoderInput input, KeyValueCache? cache = null);

    /// <summary>Logits [S, M, V] at <see cref="DecoderInput.Positions"/>. With a cache the tokens go on from those in it.</summary>
    public Tensor Logits(IWeights weights, DecoderInput input, KeyValueCache? cache = null) =>
        bmm(Hidden(weights, input, cache), weights.Transposed(Head));

    /// <summary>Room for the keys and values of <paramref name="capacity"/> tokens in each of <paramref name="rows"/> texts.</summary>
    public abstract KeyValueCache NewCache(int rows, int capacity, ComputeType type, ModelDevice device);

    /// <summary>x [S, N, in] by a weight stored [out, in] and, where there is one, a bias: [S, N, out].</summary>
    protected static Tensor Linear(IWeights weights, Tensor x, Parameter weight, Parameter? bias)
    {
        var product = bmm(x, weights.Transposed(weight));
        return bias is null ? product : product.add_(weights.Vector(bias));
    }

    /// <exception cref="InvalidDataException">The architecture or its configuration is not supported; the message names it.</exception>
    public static Decoder Create(ModelConfig config)
    {
        var architecture = config.Choice("model_type", absent: null, [.. Architectures.Keys]);
        config.ThrowIfFaulty(); // the fields of another architecture would only add to the confusion
        return Architectures[architecture](config);
    }

    /// <summary>By the name that config.json gives as model_type.</summary>
    private static readonly SortedDictionary<string, Func<ModelConfig, Decoder>> Architectures = new(StringComparer.Ordinal)
    {
        ["gpt2"] = config => new Gpt2(Gpt2Config.Read(config)),
        ["llama"] = config => new Llama(LlamaConfig.OfLlama(config)),
        ["mistral"] = config => new Llama(LlamaConfig.OfMistral(config)),
        ["qwen2"] = config => new Llama(LlamaConfig.OfQwen2(config)),
        ["qwen3"] = config => new Llama(LlamaConfig.OfQwen3(config)),
    };
}
