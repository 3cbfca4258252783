using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

/// <summary>Tokens to be run through a model.</summary>
/// <param name="Ids">[B·T], int64.</param>
/// <param name="Rows">B.</param>
/// <param name="Length">T.</param>
/// <param name="Positions">[M], int64, indices into <paramref name="Ids"/> where logits are wanted.</param>
internal readonly record struct DecoderInput(Tensor Ids, long Rows, long Length, Tensor Positions);

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

    /// <summary>Logits [S, M, V] at <see cref="DecoderInput.Positions"/>. With a cache the tokens go on from those that are in it.</summary>
    public abstract Tensor Logits(IWeights weights, DecoderInput input, KeyValueCache? cache = null);

    /// <summary>Room for the keys and values of <paramref name="capacity"/> tokens in each of <paramref name="rows"/> texts.</summary>
    public abstract KeyValueCache NewCache(int rows, int capacity);

    /// <exception cref="InvalidDataException">The architecture is not one of those that are built in, or its configuration is not supported.</exception>
    public static Decoder Create(ModelConfig config)
    {
        Decoder decoder = config.Choice("model_type", absent: null, "llama") switch
        {
            _ => new Llama(LlamaConfig.Read(config)),
        };
        config.ThrowIfFaulty();
        return decoder;
    }
}
