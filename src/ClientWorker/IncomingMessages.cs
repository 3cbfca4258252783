using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text.Json;
using FedKSeed.Contracts;

namespace FedKSeed.ClientWorker;

/// <summary>
/// What is wrong with a message before anything is made from it. Its bounds are those of a federation's settings: what is beyond them would
/// exhaust this process. Pure.
/// </summary>
internal static class IncomingMessages
{
    private const int MaximumShift = 63, DigestLength = 64;

    /// <exception cref="FormatException">It is no assignment that a federation could have made.</exception>
    public static void RequireSound(SeedsAssigned assignment)
    {
        Names.RequireClient(assignment.Assignment.Client);
        if (assignment.Model is null == assignment.Delta is null)
            throw new FormatException("it has its version neither whole nor as a delta, or both");
        if (assignment.Model is { } model)
            RequireSound(model);
        if (assignment.Version is < 0 or > Limits.Rounds || (assignment.Model?.Version ?? assignment.Version) != assignment.Version)
            throw new FormatException($"its version {assignment.Version} is none, or not the one that it brings");
        if (assignment.Steps is < 1 or > Limits.Steps || assignment.BatchSize is < 1 or > Limits.BatchSize
            || assignment.Assignment.Round < 1 || assignment.Assignment.Turn < 0 || !double.IsFinite(assignment.LearningRate)
            || !float.IsFinite(assignment.Epsilon) || !double.IsFinite(assignment.MaximumScalar))
            throw new FormatException(
                $"{assignment.Steps} steps of {assignment.BatchSize} examples in round {assignment.Assignment.Round}, "
                    + $"learning rate {assignment.LearningRate}, epsilon {assignment.Epsilon} are no assignment");
    }

    /// <exception cref="FormatException">Its seeds are not one for each step of this version's pool.</exception>
    public static void RequireSeeds(SeedsAssigned assignment, ModelVersion version) => RequireLength(
        "seeds", assignment.Seeds, assignment.Steps, PackedIntegers.BitsForIndexBelow(version.Directions.SeedCount));

    /// <exception cref="FormatException">It is no version that a federation could have made.</exception>
    public static void RequireSound(ModelVersion model)
    {
        var seeds = model.Directions.SeedCount;
        if (seeds is < 1 or > Limits.Seeds)
            throw new FormatException($"{seeds} seeds are not between 1 and {Limits.Seeds}");
        // Its scheme is said in logs.
        if (!DirectionSchemes.Known.Contains(model.Directions.Scheme))
            throw new FormatException($"its scheme is not one of {string.Join(", ", DirectionSchemes.Known)}");
        if (model.Directions.Validate(new ValidationContext(model.Directions)).FirstOrDefault() is { } fault)
            throw new FormatException(fault.ErrorMessage);
        if (model.QuantisedBits != QuantisedAccumulators.BitsPerValue(seeds, model.Directions.LargestRank))
            throw new FormatException($"{model.QuantisedBits} bits are not those of an accumulator of {seeds}");
        if (model.Version is < 0 or > Limits.Rounds || model.Shift is < 0 or > MaximumShift)
            throw new FormatException($"version {model.Version} with shift {model.Shift} is none");
        RequireLength("accumulators", model.Quantised, seeds, model.QuantisedBits);
        if (model.BaseModelDigest.Length != DigestLength || !model.BaseModelDigest.All(char.IsAsciiHexDigitLower))
            throw new FormatException($"its base model's digest is not {DigestLength} hexadecimal digits");
    }

    /// <summary>
    /// Of all that an assignment says: two that differ in anything have different ones. In which form its version comes is no difference.
    /// </summary>
    public static string Digest(SeedsAssigned assignment) => Convert.ToHexStringLower(
        SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(assignment with { Model = null, Delta = null })));

    private static void RequireLength(string what, byte[] packed, int count, int bits)
    {
        if (packed.Length != PackedIntegers.PackedLength(count, bits))
            throw new FormatException(
                $"{count} {what} of {bits} bits take {PackedIntegers.PackedLength(count, bits)} bytes, not {packed.Length}");
    }
}
