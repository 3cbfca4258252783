using FedKSeed.Contracts;

namespace FedKSeed.Cluster.Tests;

internal static class Reports
{
    /// <summary>A sound report on an assignment, of scalars that are 0.</summary>
    public static ScalarsReported On(SeedsAssigned assignment) => new()
    {
        Federation = assignment.Federation,
        Assignment = assignment.Assignment,
        BaseVersion = assignment.Version,
        Examples = 100,
        Scalars = new byte[assignment.Steps * sizeof(float)],
        SkippedSteps = [],
    };
}
