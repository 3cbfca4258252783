using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace FedKSeed.Contracts;

/// <summary>
/// The directions that a federation's model moves along: K of them, made from a key by a scheme. With the base checkpoint it is all that
/// turns K integers into weights, so it travels as one thing: in the settings, in the log's first entry and with every version.
/// </summary>
public sealed record DirectionSpace
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
}

/// <summary>The names that schemes carry in settings, messages and logs. What they stand for is in Perturbation.</summary>
public static class DirectionSchemes
{
    /// <summary>Each element is +1 or −1: one bit of Philox4x32-10 (docs/SPEC.md 2).</summary>
    public const string Rademacher = "philox-rademacher/1";

    /// <summary>Each element is a standard normal, rounded to a multiple of 2⁻¹²: Box–Muller over Philox4x32-10 (docs/SPEC.md 3).</summary>
    public const string Gaussian = "philox-gaussian/1";

    public static IReadOnlyList<string> Known { get; } = [Rademacher, Gaussian];
}

[AttributeUsage(AttributeTargets.Property)]
internal sealed class KnownSchemeAttribute : ValidationAttribute
{
    public override bool IsValid(object? value) => value is string name && DirectionSchemes.Known.Contains(name);

    public override string FormatErrorMessage(string name) => $"{name} must be {string.Join(" or ", DirectionSchemes.Known)}.";
}
