using System.Security.Cryptography;
using System.Text.Json;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.ClientWorker;

/// <summary>
/// What is wrong with a message before anything is made from it. Its bounds are those of a federation's settings: what is beyond them would
/// exhaust this process. Pure.
/// </summary>
internal static class IncomingMessages
{
    private const int MaximumSteps = 4096, MaximumBatch = 4096, MaximumSeeds = 65_536, MaximumShift = 63;

    /// <exception cref="FormatException">It is no assignment that a federation could have made.</exception>
    public static void RequireSound(SeedsAssigned assignment)
    {
        FederationName.RequireClient(assignment.Client);
        RequireSound(assignment.Model);
        if (assignment.Steps is < 1 or > MaximumSteps || assignment.BatchSize is < 1 or > MaximumBatch || assignment.Round < 1
            || assignment.Turn < 0 || !double.IsFinite(assignment.LearningRate) || !float.IsFinite(assignment.Epsilon)
            || !double.IsFinite(assignment.MaximumScalar))
            throw new FormatException(
                $"{assignment.Steps} steps of {assignment.BatchSize} examples in round {assignment.Round}, "
                    + $"learning rate {assignment.LearningRate}, epsilon {assignment.Epsilon} are no assignment");
        RequireLength(
            "seeds", assignment.Seeds, assignment.Steps, PackedIntegers.BitsForIndexBelow(assignment.Model.SeedCount));
    }

    /// <exception cref="FormatException">It is no version that a federation could have made.</exception>
    public static void RequireSound(ModelVersion model)
    {
        if (model.SeedCount is < 1 or > MaximumSeeds)
            throw new FormatException($"{model.SeedCount} seeds are not between 1 and {MaximumSeeds}");
        if (model.QuantisedBits is < 1 or > 32)
            throw new FormatException($"{model.QuantisedBits} bits of an accumulator are not between 1 and 32");
        if (model.Version < 0 || model.Shift is < 0 or > MaximumShift)
            throw new FormatException($"version {model.Version} with shift {model.Shift} is none");
        RequireLength("accumulators", model.Quantised, model.SeedCount, model.QuantisedBits);
        // Both are said in logs.
        if (model.BaseModelDigest is not { Length: 64 } digest || !digest.All(char.IsAsciiHexDigitLower) || model.Scheme.Length > 64)
            throw new FormatException("its base model's digest is not 64 hexadecimal digits, or its scheme has no name");
        _ = DirectionSchemes.Parse(model.Scheme);
    }

    /// <summary>Of all that a message says: two that differ in anything have different ones.</summary>
    public static string Digest<T>(T message) => Convert.ToHexStringLower(SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(message)));

    private static void RequireLength(string what, byte[] packed, int count, int bits)
    {
        if (packed.Length != PackedIntegers.PackedLength(count, bits))
            throw new FormatException(
                $"{count} {what} of {bits} bits take {PackedIntegers.PackedLength(count, bits)} bytes, not {packed.Length}");
    }
}
