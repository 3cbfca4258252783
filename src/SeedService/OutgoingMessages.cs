using FedKSeed.Contracts;
using FedKSeed.Federation;

namespace FedKSeed.SeedService;

/// <summary>The book's contents as messages. Pure.</summary>
public static class OutgoingMessages
{
    /// <param name="version">What the assignment is based on.</param>
    /// <param name="since">A version that the client's workers should hold; null for none.</param>
    public static SeedsAssigned Assignment(
        FederationSettings settings, SentVersion version, SentVersion? since, Assignment assignment)
    {
        var delta = since is null ? null : ModelDelta.Between(since.Model, version.Model);
        return new()
        {
            Federation = settings.Name,
            Assignment = assignment.Key,
            Version = version.Model.Version,
            VersionDigest = version.Digest,
            Model = delta is null ? version.Model : null,
            Delta = delta,
            Steps = assignment.Seeds.Length,
            Seeds = PackedIntegers.PackUnsigned(
                assignment.Seeds.Span, PackedIntegers.BitsForIndexBelow(settings.Directions.SeedCount)),
            BatchSize = settings.BatchSize,
            LearningRate = assignment.LearningRate,
            Epsilon = settings.Epsilon,
            MaximumScalar = settings.MaximumScalar,
            WithLoss = settings.ClientRates.TakesLoss,
        };
    }
}
