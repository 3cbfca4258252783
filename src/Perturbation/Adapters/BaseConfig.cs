using System.Text.Json;
using FedKSeed.Checkpoints;

namespace FedKSeed.Perturbation.Adapters;

/// <summary>What adapters go by of a base model's config.json: no more than decides where they can be, and how layers lie.</summary>
internal sealed record BaseConfig
{
    public const string FileName = "config.json";

    // Of these, layers store a row for each input: Conv1D.
    private static readonly string[] Transposed = ["gpt2"];

    /// <summary>model_type; empty where none is said.</summary>
    public required string ModelType { get; init; }

    /// <summary>attention_bias or mlp_bias.</summary>
    public required bool HasBiases { get; init; }

    /// <summary>Whether it is of an architecture that may have biases, and has none.</summary>
    public bool TakesBiases => ModelType == "llama" && !HasBiases;

    /// <summary>Whether the weights of linear layers are stored [in, out].</summary>
    public bool IsTransposed => Transposed.Contains(ModelType);

    /// <summary>What the names of the model's body begin with; a checkpoint that was saved from the body alone leaves it out.</summary>
    public string Prefix => IsTransposed ? "transformer." : "model.";

    /// <exception cref="CheckpointException">The file is no JSON.</exception>
    public static BaseConfig Of(Checkpoint checkpoint) => Of(checkpoint.Folder);

    /// <inheritdoc cref="Of(Checkpoint)"/>
    public static BaseConfig Of(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return new BaseConfig { ModelType = "", HasBiases = false };
        using var config = CheckpointJson.Parse(path, null, File.ReadAllBytes(path));
        var root = config.RootElement;
        bool Flag(string name) =>
            root.ValueKind == JsonValueKind.Object && root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;
        return new BaseConfig
        {
            ModelType = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("model_type", out var type) ? type.ToString() : "",
            HasBiases = Flag("attention_bias") || Flag("mlp_bias"),
        };
    }
}
