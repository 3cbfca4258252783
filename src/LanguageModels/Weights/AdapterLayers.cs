using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Architectures;
using FedKSeed.Perturbation.Adapters;

namespace FedKSeed.LanguageModels.Weights;

/// <summary>Where an adapter meets the layers of a decoder, which knows nothing of it. Immutable, so shared by all threads.</summary>
internal sealed class AdapterLayers
{
    private const string WeightSuffix = ".weight";

    /// <summary>LoRA beside one product: what its parts have of A, stacked; of B, one each.</summary>
    /// <param name="Seen">A of all parts, [parts·r, in].</param>
    internal sealed record LowRank(Parameter Seen, IReadOnlyList<LowRankPart> Parts);

    /// <param name="FirstRow">Where the part's outputs begin.</param>
    /// <param name="Rows">Its outputs.</param>
    /// <param name="Weight">B, [out, r].</param>
    internal readonly record struct LowRankPart(long FirstRow, long Rows, Parameter Weight);

    private readonly Dictionary<int, LowRank> _lowRank = [];
    private readonly Dictionary<int, Parameter> _biases = [];

    /// <param name="decoder">Its layout is bound to the base; what the adapter adds comes behind, to be bound again.</param>
    /// <param name="content">The adapter.</param>
    /// <param name="checkpoint">The base with the adapter's tensors.</param>
    /// <exception cref="InvalidDataException">The decoder has no place for some of them; the message names all of those.</exception>
    public AdapterLayers(Decoder decoder, AdapterContent content, Checkpoint checkpoint)
    {
        Adapter = content.Adapter;
        Scale = content.Adapter.Alpha / content.Adapter.Rank;
        FirstVirtualToken = decoder.VocabularySize;
        HashSet<string> placed = [];
        if (content.Adapter.Kind == AdapterKind.Prompt)
        {
            Embedding = EmbeddingOf(decoder);
            Prompt = decoder.Layout.AddMatrix(
                Embedding.Columns, new ParameterPart(AdapterContent.PromptName, content.Adapter.Tokens));
            placed.Add(AdapterContent.PromptName);
        }
        else
        {
            var isTransposed = AdapterContent.IsTransposed(checkpoint);
            foreach (var parameter in decoder.Layout.Parameters.Where(parameter => !parameter.IsVector).ToArray())
                Add(decoder.Layout, parameter, checkpoint, isTransposed, placed);
        }
        if (checkpoint.Adapter.Select(tensor => tensor.Name).Where(name => !placed.Contains(name)).ToArray() is { Length: > 0 } others)
            throw new InvalidDataException(
                $"{checkpoint.Folder}: the adapter does not fit: the model has no linear layer for {string.Join(", ", others)}.");
    }

    public Adapter Adapter { get; }

    /// <summary>α/r.</summary>
    public double Scale { get; }

    /// <summary>Token ids from here on are the prompt's rows: behind the vocabulary.</summary>
    public int FirstVirtualToken { get; }

    /// <summary>The matrix that tokens are looked up in, where there is a <see cref="Prompt"/>.</summary>
    public Parameter? Embedding { get; }

    /// <summary>Embeddings of the virtual tokens; null for none.</summary>
    public Parameter? Prompt { get; }

    /// <summary>LoRA beside a matrix; null for none.</summary>
    public LowRank? LowRankOf(Parameter matrix) => _lowRank.GetValueOrDefault(matrix.Index);

    /// <summary>What is added to the product of a matrix; null for nothing.</summary>
    public Parameter? BiasOf(Parameter matrix) => _biases.GetValueOrDefault(matrix.Index);

    private static Parameter EmbeddingOf(Decoder decoder) =>
        decoder.LookedUp.FirstOrDefault(matrix => matrix.Rows == decoder.VocabularySize)
        ?? throw new InvalidDataException("A prompt cannot be put before the texts of this model: it looks no tokens up.");

    private void Add(WeightLayout layout, Parameter parameter, Checkpoint checkpoint, bool isTransposed, HashSet<string> placed)
    {
        List<ParameterPart> seen = [], biases = [];
        List<(long FirstRow, long Rows, ParameterPart Part, int Rank)> raised = [];
        long inputs = parameter.Columns, firstRow = 0;
        foreach (var tensor in layout.Tensors(parameter))
        {
            var name = tensor.Source.Name;
            var layer = name.EndsWith(WeightSuffix, StringComparison.Ordinal) ? name[..^WeightSuffix.Length] : name;
            (var outputs, inputs) = isTransposed
                ? (tensor.Source.Shape[1], tensor.Source.Shape[0])
                : (tensor.Source.Shape[0], tensor.Source.Shape[1]);
            if (checkpoint.Contains(layer + AdapterContent.SuffixB) && placed.Add(layer + AdapterContent.SuffixB))
            {
                placed.Add(layer + AdapterContent.SuffixA);
                seen.Add(new ParameterPart(layer + AdapterContent.SuffixA, Adapter.Rank));
                raised.Add((firstRow, outputs, new ParameterPart(layer + AdapterContent.SuffixB, (int)outputs), Adapter.Rank));
            }
            if (Adapter.Kind == AdapterKind.Bias && checkpoint.Contains(layer + AdapterContent.SuffixBias)
                && placed.Add(layer + AdapterContent.SuffixBias))
                biases.Add(new ParameterPart(layer + AdapterContent.SuffixBias, (int)outputs));
            firstRow += outputs;
        }
        if (seen.Count > 0)
            _lowRank[parameter.Index] = new LowRank(
                layout.AddMatrix((int)inputs, seen),
                [.. raised.Select(part => new LowRankPart(part.FirstRow, part.Rows, layout.AddMatrix(part.Rank, part.Part)))]);
        if (biases.Count > 0)
            _biases[parameter.Index] = layout.AddVector(biases);
    }
}
