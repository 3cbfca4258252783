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
        RequireSound(assignment.Model);
        if (assignment.Steps is < 1 or > Limits.Steps || assignment.BatchSize is < 1 or > Limits.BatchSize
            || assignment.Assignment.Round < 1 || assignment.Assignment.Turn < 0 || !double.IsFinite(assignment.LearningRate)
            || !float.IsFinite(assignment.Epsilon) || !double.IsFinite(assignment.MaximumScalar))
            throw new FormatException(
                $"{assignment.Steps} steps of {assignment.BatchSize} examples in round {assignment.Assignment.Round}, "
                    + $"learning rate {assignment.LearningRate}, epsilon {assignment.Epsilon} are no assignment");
        RequireLength(
            "seeds", assignment.Seeds, assignment.Steps, PackedIntegers.BitsForIndexBelow(assignment.Model.Directions.SeedCount));
    }

    /// <exception cref="FormatException">It is no version that a federation could have made.</exception>
    public static void RequireSound(ModelVersion model)
    {
        var seeds = model.Directions.SeedCount;
        if (seeds is < 1 or > Limits.Seeds)
            throw new FormatException($"{seeds} seeds are not between 1 and {Limits.Seeds}");
        if (model.QuantisedBits != QuantisedAccumulators.BitsPerValue(seeds))
            throw new FormatException($"{model.QuantisedBits} bits are not those of an accumulator of {seeds}");
        if (model.Version is < 0 or > Limits.Rounds || model.Shift is < 0 or > MaximumShift)
            throw new FormatException($"version {model.Version} with shift {model.Shift} is none");
        RequireLength("accumulators", model.Quantised, seeds, model.QuantisedBits);
        // Both are said in logs.
        if (!DirectionSchemes.Known.Contains(model.Directions.Scheme))
            throw new FormatException($"its scheme is not one of {string.Join(", ", DirectionSchemes.Known)}");
        if (model.BaseModelDigest.Length != DigestLength || !model.BaseModelDigest.All(char.IsAsciiHexDigitLower))
            throw new FormatException($"its base model's digest is not {DigestLength} hexadecimal digits");
    }

    /// <summary>Of all that an assignment says: two that differ in anything have different ones.</summary>
    public static string Digest(SeedsAssigned assignment) =>
        Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(assignment)));

    private static void RequireLength(string what, byte[] packed, int count, int bits)
    {
        if (packed.Length != PackedIntegers.PackedLength(count, bits))
            throw new FormatException(
                $"{count} {what} of {bits} bits take {PackedIntegers.PackedLength(count, bits)} bytes, not {packed.Length}");
    }
}
