using System.Text.Json;

namespace FedKSeed.Checkpoints;

/// <summary>
/// An output layer that a checkpoint stores though config.json ties it to the embedding (SPEC 8), as Qwen3-0.6B does. It takes an ordinal
/// but has no direction of its own: a rebuild writes the rebuilt embedding there.
/// </summary>
public sealed record TiedHead(CheckpointTensor Head, CheckpointTensor Embedding)
{
    public const string HeadName = "lm_head.weight";

    private const string ConfigFile = "config.json";
    private const int Chunk = 1 << 22;

    // As architectures name it, and as those do that were saved from the body alone.
    private static readonly string[] EmbeddingNames =
        ["model.embed_tokens.weight", "embed_tokens.weight", "transformer.wte.weight", "wte.weight"];

    // Architectures that are tied unless config.json says otherwise; the others are not.
    private static readonly string[] TiedUnlessSaid = ["gpt2"];

    /// <summary>The tied head that a checkpoint stores; null where it stores none, or has one that is trained apart.</summary>
    /// <exception cref="CheckpointException">It differs from the embedding: nobody can tell which of them is meant.</exception>
    internal static TiedHead? Of(Checkpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (!checkpoint.Contains(HeadName) || !IsTied(Path.Combine(checkpoint.Folder, ConfigFile))
            || EmbeddingNames.FirstOrDefault(checkpoint.Contains) is not { } name)
            return null;
        TiedHead tied = new(checkpoint[HeadName], checkpoint[name]);
        return tied.AreEqual() ? tied : throw new CheckpointException(
            checkpoint.Folder,
            HeadName,
            $"{ConfigFile} ties the output layer to the embedding, but this tensor differs from {name}: set tie_word_embeddings to "
                + "false to train it apart, or take the tensor out.");
    }

    private static bool IsTied(string configFile)
    {
        if (!File.Exists(configFile))
            return false;
        using var config = CheckpointJson.Parse(configFile, null, File.ReadAllBytes(configFile));
        if (config.RootElement.ValueKind != JsonValueKind.Object)
            return false;
        return config.RootElement.TryGetProperty("tie_word_embeddings", out var tied)
            && tied.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? tied.ValueKind == JsonValueKind.True
            : config.RootElement.TryGetProperty("model_type", out var type) && TiedUnlessSaid.Contains(type.ToString());
    }

    private bool AreEqual()
    {
        if (Head.Type != Embedding.Type || !Head.Shape.SequenceEqual(Embedding.Shape))
            return false;
        for (long done = 0; done < Head.ByteCount; done += Chunk)
        {
            var count = (int)Math.Min(Head.ByteCount - done, Chunk);
            var areEqual = Head.Bytes(done, count).SequenceEqual(Embedding.Bytes(done, count));
            Head.Release(done, count);
            Embedding.Release(done, count);
            if (!areEqual)
                return false;
        }
        return true;
    }
}
