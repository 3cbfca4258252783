using FedKSeed.Contracts;

namespace FedKSeed.Perturbation.Directions;

/// <summary>Directions of a <see cref="DirectionSpace"/> as functions of the element.</summary>
public static class DirectionSpaces
{
    /// <summary>The part of direction <paramref name="seed"/> that belongs to one tensor.</summary>
    /// <param name="space">Pool key, K and scheme.</param>
    /// <param name="seed">Seed index j, 0 to K − 1.</param>
    /// <param name="tensor">The tensor's ordinal.</param>
    /// <exception cref="ArgumentOutOfRangeException">The seed is not in the pool, or the ordinal is negative.</exception>
    /// <exception cref="FormatException">The scheme is not known.</exception>
    public static Direction Direction(this DirectionSpace space, int seed, int tensor)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentOutOfRangeException.ThrowIfNegative(seed);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(seed, space.SeedCount);
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        return new Direction(space.PoolKey, DirectionSchemeNames.Parse(space.Scheme), seed, tensor);
    }

    /// <summary>Refuses what no pool can be.</summary>
    /// <exception cref="ArgumentOutOfRangeException">K is not 1 to 65 536.</exception>
    /// <exception cref="FormatException">The scheme is not known.</exception>
    public static DirectionScheme Require(this DirectionSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentOutOfRangeException.ThrowIfLessThan(space.SeedCount, 1, nameof(space));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(space.SeedCount, Limits.Seeds, nameof(space));
        return DirectionSchemeNames.Parse(space.Scheme);
    }
}
