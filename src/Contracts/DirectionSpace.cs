using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace FedKSeed.Contracts;

/// <summary>
/// The directions that a federation's model moves along: K of them, made from a key by a scheme. With the base checkpoint it is all that
/// turns K integers into weights, so it travels as one thing: in the settings, in the log's first entry and with every version.
/// </summary>
public sealed record DirectionSpace : IValidatableObject
{
    /// <summary>The Philox key of every direction.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public ulong PoolKey { get; init; } = 1;

    /// <summary>K, the number of directions in the pool.</summary>
    [Range(1, Limits.Seeds)]
    public int SeedCount { get; init; } = 4096;

    /// <summary>
    /// How a seed becomes a direction: one of <see cref="DirectionSchemes.Known"/>. A scheme that is not known is another model.
    /// </summary>
    [KnownScheme]
    public string Scheme { get; init; } = DirectionSchemes.Rademacher;

    /// <summary>
    /// Which tensors directions live on, as people say it: the first group that matches a tensor's name counts, and what none matches is
    /// frozen. Null for every tensor at scale 0, of rank 1 where the scheme is <see cref="DirectionSchemes.LowRank"/>; with an adapter for
    /// the adapter's.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<TensorGroup>? Trainable { get; init; }

    /// <summary>
    /// What <see cref="Trainable"/> comes to on the base checkpoint, ordinals ascending: written by whoever opens the federation, found
    /// again by each worker. Null for every tensor at scale 0 and rank 0.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<TrainedTensor>? Tensors { get; init; }

    /// <summary>What is added to the base model, and tuned instead of it; null for nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Adapter? Adapter { get; init; }

    /// <summary>r: the largest of the tensors' ranks, at least 1.</summary>
    [JsonIgnore]
    public int LargestRank => Tensors is null ? 1 : Tensors.Aggregate(1, (most, tensor) => Math.Max(most, tensor.Rank));

    public bool Equals(DirectionSpace? other) =>
        other is not null && PoolKey == other.PoolKey && SeedCount == other.SeedCount && Scheme == other.Scheme
            && Adapter == other.Adapter && AreEqual(Trainable, other.Trainable) && AreEqual(Tensors, other.Tensors);

    public override int GetHashCode() => HashCode.Combine(PoolKey, SeedCount, Scheme, Adapter, Trainable?.Count, Tensors?.Count);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var fault in Adapter?.Validate(new ValidationContext(Adapter)) ?? [])
            yield return fault;
        if (Trainable is { Count: 0 })
            yield return new($"{nameof(Trainable)} names no tensors: leave it out to train all of them.");
        foreach (var group in Trainable ?? [])
        {
            if (group?.Tensors is not { Count: > 0 } || group.Tensors.Any(string.IsNullOrEmpty))
            {
                yield return new($"A group of {nameof(Trainable)} has no patterns of tensor names.");
                continue;
            }
            foreach (var fault in FaultsOf(group.Scale, group.Rank))
                yield return new($"A group of {nameof(Trainable)}: {fault}");
        }

        if (Tensors is { Count: 0 })
            yield return new($"{nameof(Tensors)} is empty: no tensor of the base is trained.");
        for (var i = 0; i < Tensors?.Count; i++)
        {
            if (Tensors[i].Ordinal < 0 || (i > 0 && Tensors[i].Ordinal <= Tensors[i - 1].Ordinal))
                yield return new($"{nameof(Tensors)} must have ascending, distinct ordinals; {Tensors[i].Ordinal} is out of order.");
            foreach (var fault in FaultsOf(Tensors[i].Scale, Tensors[i].Rank))
                yield return new($"Tensor {Tensors[i].Ordinal}: {fault}");
        }
    }

    private IEnumerable<string> FaultsOf(int scale, int rank)
    {
        if (scale is < -TensorGroup.LargestScale or > TensorGroup.LargestScale)
            yield return $"scale {scale} is not between {-TensorGroup.LargestScale} and {TensorGroup.LargestScale}.";
        if (rank is not (0 or 1 or 2 or 4))
            yield return $"rank {rank} is not 0, 1, 2 or 4.";
        else if (rank > 0 && Scheme != DirectionSchemes.LowRank)
            yield return $"rank {rank} takes {nameof(Scheme)} {DirectionSchemes.LowRank}; {Scheme} has rank 0.";
    }

    private static bool AreEqual<T>(IReadOnlyList<T>? one, IReadOnlyList<T>? other) =>
        ReferenceEquals(one, other) || (one is not null && other is not null && one.SequenceEqual(other));
}

/// <summary>Tensors that are trained alike.</summary>
public sealed record TensorGroup
{
    /// <summary>The largest <see cref="Scale"/> in magnitude.</summary>
    public const int LargestScale = 16;

    /// <summary>
    /// Names of tensors, with * for any characters and ? for one; or words for parts of a model: bias, norm, attention, query-value, mlp,
    /// embedding, head, layers:A-B, layers:-N, adapter, all.
    /// </summary>
    public required IReadOnlyList<string> Tensors { get; init; }

    /// <summary>e: directions are 2ᵉ as long, so the tensors' learning rate is 4ᵉ as large.</summary>
    public int Scale { get; init; }

    /// <summary>
    /// 0 for directions without structure; 1, 2 or 4 for sums of so many products of row and column. Vectors have rank 0.
    /// </summary>
    public int Rank { get; init; }

    public bool Equals(TensorGroup? other) =>
        other is not null && Scale == other.Scale && Rank == other.Rank && Tensors.SequenceEqual(other.Tensors);

    public override int GetHashCode() => HashCode.Combine(Scale, Rank, Tensors.Count);
}

/// <summary>A tensor that directions live on.</summary>
/// <param name="Ordinal">Its rank among all tensors of the base.</param>
/// <param name="Scale">e, as in <see cref="TensorGroup.Scale"/>.</param>
/// <param name="Rank">0 for vectors.</param>
public readonly record struct TrainedTensor(int Ordinal, int Scale, int Rank);

/// <summary>The names that schemes carry in settings, messages and logs. What they stand for is in Perturbation.</summary>
public static class DirectionSchemes
{
    /// <summary>Each element is +1 or −1: one bit of Philox4x32-10 (docs/SPEC.md 2).</summary>
    public const string Rademacher = "philox-rademacher/1";

    /// <summary>Each element is a standard normal, rounded to a multiple of 2⁻¹²: Box–Muller over Philox4x32-10 (docs/SPEC.md 3).</summary>
    public const string Gaussian = "philox-gaussian/1";

    /// <summary>Matrices move along a few products of signs of row and column, vectors as Rademacher's (docs/SPEC.md 9).</summary>
    public const string LowRank = "philox-rank/1";

    public static IReadOnlyList<string> Known { get; } = [Rademacher, Gaussian, LowRank];
}

[AttributeUsage(AttributeTargets.Property)]
internal sealed class KnownSchemeAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is string name && DirectionSchemes.Known.Contains(name);

    public override string FormatErrorMessage(string name) => $"{name} must be {string.Join(" or ", DirectionSchemes.Known)}.";
}
