using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Aggregation;

namespace FedKSeed.SeedService;

/// <summary>The book's contents as messages. Pure.</summary>
public static class OutgoingMessages
{
    /// <summary>The present version of the model, quantised and packed.</summary>
    public static ModelVersion Model(FederationState state)
    {
        var settings = state.Settings!;
        var quantised = QuantisedAccumulators.Of(state.Accumulators.Span);
        var bits = QuantisedAccumulators.BitsPerValue(settings.SeedCount);
        return new ModelVersion
        {
            Version = state.Version,
            BaseModelDigest = settings.BaseModelDigest,
            Scheme = settings.Scheme,
            PoolKey = settings.PoolKey,
            SeedCount = settings.SeedCount,
            Shift = quantised.Shift,
            QuantisedBits = bits,
            Quantised = PackedIntegers.PackSigned(quantised.Values.Span, bits),
        };
    }

    public static SeedsAssigned Assignment(FederationSettings settings, ModelVersion model, Assignment assignment) => new()
    {
        Federation = settings.Name,
        Round = assignment.Key.Round,
        Client = assignment.Key.Client,
        Turn = assignment.Key.Turn,
        Model = model,
        Steps = assignment.Seeds.Length,
        Seeds = PackedIntegers.PackUnsigned(assignment.Seeds.Span, PackedIntegers.BitsForIndexBelow(settings.SeedCount)),
        BatchSize = settings.BatchSize,
        LearningRate = assignment.LearningRate,
        Epsilon = settings.Epsilon,
        MaximumScalar = settings.MaximumScalar,
    };
}
