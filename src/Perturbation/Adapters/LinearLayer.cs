using FedKSeed.Checkpoints;
using FedKSeed.Contracts;

namespace FedKSeed.Perturbation.Adapters;

/// <summary>A linear layer of a base model.</summary>
/// <param name="Name">As the checkpoint has it, without .weight.</param>
/// <param name="Weight">Its matrix.</param>
/// <param name="IsTransposed">Whether that is stored [in, out], as GPT-2's are, and not [out, in].</param>
internal sealed record LinearLayer(string Name, CheckpointTensor Weight, bool IsTransposed)
{
    private const string Suffix = ".weight";

    // Matrices that are looked up, or are the output layer: an adapter is no part of them.
    private static readonly string[] NotLinear = ["embed_tokens", "wte", "wpe", "lm_head"];

    private static readonly string[] LlamaTargets = ["q_proj", "v_proj"], Gpt2Targets = ["c_attn"];

    private static readonly string[] LlamaLayers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    private static readonly string[] Embeddings = ["embed_tokens.weight", "wte.weight"];

    public long Inputs => Weight.Shape[IsTransposed ? 0 : 1];

    public long Outputs => Weight.Shape[IsTransposed ? 1 : 0];

    /// <summary>All of a checkpoint, in the order of their names.</summary>
    public static IReadOnlyList<LinearLayer> All(Checkpoint source)
    {
        var isTransposed = BaseConfig.Of(source).IsTransposed;
        return [.. source.Base.Weights
            .Where(tensor => tensor.Columns > 0 && tensor.Name.EndsWith(Suffix, StringComparison.Ordinal))
            .Select(tensor => new LinearLayer(tensor.Name[..^Suffix.Length], tensor, isTransposed))
            .Where(layer => !NotLinear.Contains(layer.LastWord))];
    }

    /// <summary>Those that have one of these names, or end in one.</summary>
    /// <exception cref="FormatException">A name is that of no layer.</exception>
    public static IReadOnlyList<LinearLayer> Targeted(Checkpoint source, IReadOnlyList<string> targets)
    {
        var all = All(source);
        foreach (var target in targets)
        {
            if (!all.Any(layer => layer.Is(target)))
                throw new FormatException(
                    $"No linear layer of '{source.Folder}' is called '{target}'. There are "
                        + $"{string.Join(", ", all.Select(layer => layer.LastWord).Distinct())}.");
        }
        return [.. all.Where(layer => targets.Any(layer.Is))];
    }

    /// <summary>What LoRA is added to where nothing is said.</summary>
    /// <exception cref="FormatException">The base is of no architecture that has a usual answer.</exception>
    public static IReadOnlyList<string> DefaultTargets(Checkpoint source)
    {
        var words = All(source).Select(layer => layer.LastWord).ToHashSet();
        return words.IsSupersetOf(LlamaTargets) ? LlamaTargets
            : words.IsSupersetOf(Gpt2Targets) ? Gpt2Targets
            : throw new FormatException(
                $"Which layers of '{source.Folder}' LoRA is to be added to must be said ({nameof(Adapter.Targets)}): there are "
                    + $"{string.Join(", ", words.Order(StringComparer.Ordinal))}.");
    }

    /// <summary>The layers of a LLaMA that biases are added to.</summary>
    /// <exception cref="FormatException">The base is no LLaMA, or has biases.</exception>
    public static IReadOnlyList<LinearLayer> WithoutBias(Checkpoint source)
    {
        var config = BaseConfig.Of(source);
        if (config.ModelType != "llama")
            throw new FormatException(
                $"Biases cannot be added to '{source.Folder}': it is of model_type '{config.ModelType}', and only a llama's config.json can "
                    + "say that it has them.");
        if (config.HasBiases || source.Base.Weights.Any(tensor => tensor.Name.EndsWith(".bias", StringComparison.Ordinal)))
            throw new FormatException($"Biases cannot be added to '{source.Folder}': it has some, which --peft bias tunes.");
        return Targeted(source, LlamaLayers);
    }

    /// <summary>The matrix whose rows tokens are looked up in.</summary>
    /// <exception cref="FormatException">None is known by its name.</exception>
    public static CheckpointTensor Embedding(Checkpoint source) =>
        source.Base.Weights.FirstOrDefault(tensor => tensor.Columns > 0 && Array.Exists(
            Embeddings, name => tensor.Name == name || tensor.Name.EndsWith($".{name}", StringComparison.Ordinal)))
        ?? throw new FormatException(
            $"A prompt cannot be put before the texts of '{source.Folder}': it has no {string.Join(" or ", Embeddings)}.");

    private string LastWord => Name[(Name.LastIndexOf('.') + 1)..];

    private bool Is(string target) => Name == target || Name.EndsWith($".{target}", StringComparison.Ordinal);
}
