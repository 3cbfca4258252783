using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace FedKSeed.Contracts;

/// <summary>What is added to a base model.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<AdapterKind>))]
public enum AdapterKind
{
    /// <summary>W + (α/r)·B·A beside linear layers (LoRA, Hu et al. 2021).</summary>
    Lora,

    /// <summary>Biases of zero for all linear layers of a LLaMA that has none.</summary>
    Bias,

    /// <summary>Embeddings of virtual tokens before every text (prompt tuning, Lester et al. 2021).</summary>
    Prompt,
}

/// <summary>
/// Tensors beside those of the base model, made from the pool key: a second, small checkpoint behind the base's. Unless groups say
/// otherwise they are all that is tuned.
/// </summary>
public sealed record Adapter : IValidatableObject
{
    /// <summary>The largest <see cref="Rank"/>.</summary>
    public const int LargestRank = 1024;

    /// <summary>The most <see cref="Tokens"/>.</summary>
    public const int MostTokens = 1024;

    private const int MostTargets = 1024, LongestTarget = 256, DigestLength = 64;
    private const double LargestAlpha = 1 << 20;

    /// <summary>What is added: Lora, Bias or Prompt.</summary>
    public required AdapterKind Kind { get; init; }

    /// <summary>r of Lora: rows of A and columns of B.</summary>
    public int Rank { get; init; } = 8;

    /// <summary>α of Lora: B·A counts α/r times.</summary>
    public double Alpha { get; init; } = 16;

    /// <summary>
    /// Layers that Lora is added to, by the end of their names: v_proj, or layers.3.mlp.up_proj. Null for query and value, c_attn of GPT-2;
    /// whoever opens a federation writes them down.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Targets { get; init; }

    /// <summary>
    /// Whether A of Lora is tuned too. Frozen, B·A is linear in the accumulators, and a commit is exactly the mean of the clients' models.
    /// </summary>
    public bool TrainA { get; init; }

    /// <summary>Virtual tokens of Prompt.</summary>
    public int Tokens { get; init; } = 8;

    /// <summary>SHA-256 of its tensors before the first round, hexadecimal: written by whoever opens the federation.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Digest { get; init; }

    /// <summary>Virtual tokens before every text.</summary>
    [JsonIgnore]
    public int VirtualTokens => Kind == AdapterKind.Prompt ? Tokens : 0;

    public bool Equals(Adapter? other) =>
        other is not null && Kind == other.Kind && Rank == other.Rank && Alpha.Equals(other.Alpha) && TrainA == other.TrainA
            && Tokens == other.Tokens && Digest == other.Digest
            && (Targets is null ? other.Targets is null : other.Targets is not null && Targets.SequenceEqual(other.Targets));

    public override int GetHashCode() => HashCode.Combine(Kind, Rank, Alpha, TrainA, Tokens, Digest, Targets?.Count);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!Enum.IsDefined(Kind))
            yield return new($"{nameof(Kind)} must be {string.Join(" or ", Enum.GetNames<AdapterKind>())}.");
        if (Rank is < 1 or > LargestRank)
            yield return new($"{nameof(Rank)} must be between 1 and {LargestRank}.");
        if (!(Alpha is > 0 and <= LargestAlpha))
            yield return new($"{nameof(Alpha)} must be above 0 and at most {LargestAlpha}.");
        if (Targets is { Count: 0 or > MostTargets } || Targets?.Any(name => name is not { Length: > 0 and <= LongestTarget }) == true)
            yield return new($"{nameof(Targets)} must be 1 to {MostTargets} names of layers.");
        if (Tokens is < 1 or > MostTokens)
            yield return new($"{nameof(Tokens)} must be between 1 and {MostTokens}.");
        if (Digest is not null && (Digest.Length != DigestLength || !Digest.All(char.IsAsciiHexDigitLower)))
            yield return new($"{nameof(Digest)} of an adapter must be {DigestLength} hexadecimal digits.");
    }
}
