using System.Globalization;
using System.Text.RegularExpressions;
using FedKSeed.Checkpoints;

namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// Words for parts of a model that stand where a <see cref="Contracts.TensorGroup"/> takes patterns of tensor names (SPEC 8). They go by
/// the names that LLaMA and its relatives, and GPT-2, have; an architecture that names its tensors otherwise adds its patterns here.
/// </summary>
public static partial class TensorAliases
{
    /// <summary>The word for all that an adapter adds and tunes.</summary>
    internal const string Adapter = "adapter";

    private const string Layers = "layers:";

    private static readonly string[] Embeddings = ["*embed_tokens.weight", "*wte.weight"];

    private static readonly Dictionary<string, string[]> Patterns = new(StringComparer.Ordinal)
    {
        ["all"] = ["*"],
        ["bias"] = ["*.bias"],
        ["norm"] = ["*norm.weight", "*norm.bias", "*ln_?.weight", "*ln_?.bias"],
        ["attention"] = ["*self_attn.?_proj.*", "*attn.c_attn.*", "*attn.c_proj.*"],
        ["query-value"] = ["*self_attn.q_proj.*", "*self_attn.v_proj.*"],
        ["mlp"] = ["*mlp.*"],
        ["embedding"] = [.. Embeddings, "*wpe.weight"],
        ["head"] = [TiedHead.HeadName],
    };

    /// <summary>The words; layers:A-B and layers:-N stand for all of their kind.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Patterns.Keys.Skip(1), Adapter, "layers:A-B", "layers:-N"];

    /// <summary>The patterns that a word stands for on a checkpoint; null if it is no such word.</summary>
    /// <exception cref="FormatException">It names layers that cannot be.</exception>
    internal static IReadOnlyList<string>? Find(string word, Checkpoint checkpoint)
    {
        if (word.StartsWith(Layers, StringComparison.Ordinal))
            return LayerPatterns(word, checkpoint);
        if (word == Adapter)
            return [.. checkpoint.Adapter.Select(tensor => tensor.Name)];
        if (word != "head" || checkpoint.Weights.Any(tensor => tensor.Name == TiedHead.HeadName && tensor != checkpoint.TiedHead?.Head))
            return Patterns.GetValueOrDefault(word);
        return Embeddings; // tied: the output layer is the embedding
    }

    private static string[] LayerPatterns(string word, Checkpoint checkpoint)
    {
        int[] indices = [.. checkpoint.Weights.Select(tensor => LayerIndex().Match(tensor.Name)).Where(match => match.Success)
            .Select(match => int.Parse(match.Groups["index"].Value, CultureInfo.InvariantCulture))];
        var count = indices.Length == 0 ? 0 : indices.Max() + 1;
        var range = LayerRange().Match(word[Layers.Length..]);
        int Number(string group) => int.Parse(range.Groups[group].Value, CultureInfo.InvariantCulture);
        var (first, last) = !range.Success ? (0, -1)
            : range.Groups["final"].Success ? (count - Number("final"), count - 1)
            : (Number("first"), Number(range.Groups["last"].Success ? "last" : "first"));
        if (first < 0 || last < first || last >= count)
            throw new FormatException(
                $"'{word}' names no layers of '{checkpoint.Folder}', which has {count}: layers:A-B are those from A to B, counted from 0, "
                    + "and layers:-N the last N.");
        return [.. Enumerable.Range(first, last - first + 1)
            .SelectMany(index => (string[])[$"layers.{index}.*", $"*.layers.{index}.*", $"h.{index}.*", $"*.h.{index}.*"])];
    }

    [GeneratedRegex(@"(^|\.)(layers|h)\.(?<index>\d{1,6})\.")]
    private static partial Regex LayerIndex();

    [GeneratedRegex(@"^(-(?<final>\d{1,6})|(?<first>\d{1,6})(-(?<last>\d{1,6}))?)$")]
    private static partial Regex LayerRange();
}
