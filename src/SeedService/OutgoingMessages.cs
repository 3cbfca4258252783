using FedKSeed.Contracts;
using FedKSeed.Federation;

namespace FedKSeed.SeedService;

/// <summary>The book's contents as messages. Pure.</summary>
public static class OutgoingMessages
{
    /// <summary>The present version of the model, quantised and packed.</summary>
    public static ModelVersion Model(FederationState state) =>
        ModelVersion.Of(state.Version, state.Settings!.BaseModelDigest, state.Settings.Directions, state.Accumulators.Span);

    public static SeedsAssigned Assignment(FederationSettings settings, ModelVersion model, Assignment assignment) => new()
    {
        Federation = settings.Name,
        Assignment = assignment.Key,
        Model = model,
        Steps = assignment.Seeds.Length,
        Seeds = PackedIntegers.PackUnsigned(assignment.Seeds.Span, PackedIntegers.BitsForIndexBelow(settings.Directions.SeedCount)),
        BatchSize = settings.BatchSize,
        LearningRate = assignment.LearningRate,
        Epsilon = settings.Epsilon,
        MaximumScalar = settings.MaximumScalar,
    };
}
