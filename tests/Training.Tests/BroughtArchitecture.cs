using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Generation;
using FedKSeed.LanguageModels.Weights;
using static TorchSharp.torch;

namespace FedKSeed.Training.Tests;

/// <summary>
/// An architecture that the product has never heard of, with nothing but its public parts: the next token out of the last one alone.
/// h = e + W·e + b with e the token's embedding, logits = C·h. Letters as elsewhere: S weight sets, N tokens, M positions, H hidden.
/// </summary>
internal sealed class BroughtArchitecture : Decoder
{
    public const string ModelType = "tests-last-token";

    private readonly Parameter _embedding;
    private readonly Parameter _weight;
    private readonly Parameter _bias;

    private BroughtArchitecture(int vocabulary, int hidden, int maxLength)
    {
        (VocabularySize, MaxLength) = (vocabulary, maxLength);
        _embedding = Layout.AddMatrix(hidden, new ParameterPart("tiny.embedding", vocabulary));
        _weight = Layout.AddMatrix(hidden, new ParameterPart("tiny.weight", hidden));
        _bias = Layout.AddVector("tiny.bias", hidden);
        Head = Layout.AddMatrix(hidden, new ParameterPart("head", vocabulary));
    }

    public override WeightLayout Layout { get; } = new(prefix: "tiny.");
    public override Parameter Head { get; }
    public override IReadOnlyList<Parameter> LookedUp => [_embedding];
    public override int VocabularySize { get; }
    public override int MaxLength { get; }

    public static BroughtArchitecture Read(ModelConfig config)
    {
        BroughtArchitecture read = new(config.WholeNumber("words"), config.WholeNumber("width"), config.WholeNumber("longest"));
        config.ThrowIfFaulty();
        return read;
    }

    public override Tensor Hidden(IWeights weights, DecoderInput input, KeyValueCache? cache = null)
    {
        cache?.Advance((int)input.Length);
        var x = weights.Rows(_embedding, input.Ids.index_select(0, input.Positions)); // [S, M, H]
        return Linear(weights, x, _weight, _bias).add_(x); // [S, M, H]
    }

    public override KeyValueCache NewCache(int rows, int capacity, ComputeType type, ModelDevice device) =>
        new(layers: 0, rows, heads: 1, capacity, headSize: 1, type, device);
}
