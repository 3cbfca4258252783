using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Generation;
using FedKSeed.LanguageModels.Weights;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Architectures;

/// <summary>
/// The mathematics of one architecture, free of weights: it says which tensors it needs (<see cref="Layout"/>) and what is
/// multiplied by what. One file each; S is the number of weight sets (<see cref="IWeights.Sets"/>). Immutable, so shared by all threads.
/// </summary>
public abstract class Decoder
{
    /// <summary>Every tensor that a pass takes, in the order in which it takes them. Filled by the constructor.</summary>
    public abstract WeightLayout Layout { get; }

    /// <summary>V, the rows of the embedding: token ids are below it.</summary>
    public abstract int VocabularySize { get; }

    /// <summary>Longest sequence, in tokens.</summary>
    public abstract int MaxLength { get; }

    /// <summary>The output layer, stored [V, H].</summary>
    public abstract Parameter Head { get; }

    /// <summary>
    /// Matrices of which a pass takes the rows that its tokens name, by <see cref="IWeights.Rows"/>; each one tensor of the checkpoint.
    /// </summary>
    public abstract IReadOnlyList<Parameter> LookedUp { get; }

    /// <summary>
    /// What goes into the output layer, [S, M, H] at <see cref="DecoderInput.Positions"/>. With a cache the tokens go on from those in it.
    /// </summary>
    /// <param name="weights">S sets of weights; they say what to compute in, and where.</param>
    /// <param name="input">N tokens.</param>
    /// <param name="cache">Made by <see cref="NewCache"/>; to be moved on by <see cref="DecoderInput.Length"/> tokens at the end.</param>
    public abstract Tensor Hidden(IWeights weights, DecoderInput input, KeyValueCache? cache = null);

    /// <summary>Logits [S, M, V] at <see cref="DecoderInput.Positions"/>. With a cache the tokens go on from those in it.</summary>
    public Tensor Logits(IWeights weights, DecoderInput input, KeyValueCache? cache = null)
    {
        ArgumentNullException.ThrowIfNull(weights);
        return weights.Multiply(Hidden(weights, input, cache), Head);
    }

    /// <summary>Room for the keys and values of <paramref name="capacity"/> tokens in each of <paramref name="rows"/> texts.</summary>
    public abstract KeyValueCache NewCache(int rows, int capacity, ComputeType type, ModelDevice device);

    /// <summary>x [S, N, in] by a weight stored [out, in] and, where there is one, a bias [out]: [S, N, out].</summary>
    protected static Tensor Linear(IWeights weights, Tensor x, Parameter weight, Parameter? bias)
    {
        ArgumentNullException.ThrowIfNull(weights);
        var product = weights.Multiply(x, weight);
        return bias is null ? product : product.PlusSets(weights.Vector(bias));
    }
}
