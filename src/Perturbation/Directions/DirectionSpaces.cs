using FedKSeed.Contracts;

namespace FedKSeed.Perturbation.Directions;

/// <summary>Directions of a <see cref="DirectionSpace"/> as functions of the element.</summary>
public static class DirectionSpaces
{
    /// <summary>The part of direction <paramref name="seed"/> that belongs to one tensor.</summary>
    /// <param name="space">Pool key, K and scheme.</param>
    /// <param name="seed">Seed index j, 0 to K − 1.</param>
    /// <param name="tensor">The tensor's ordinal.</param>
    /// <param name="catalogue">Where the scheme is found; null for <see cref="DirectionCatalogue.BuiltIn"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The seed is not in the pool, or the ordinal is negative.</exception>
    /// <exception cref="FormatException">The scheme is not known.</exception>
    public static Direction Direction(this DirectionSpace space, int seed, int tensor, DirectionCatalogue? catalogue = null)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentOutOfRangeException.ThrowIfNegative(seed);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(seed, space.SeedCount);
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        return new Direction(space.SchemeOf(catalogue), space.PoolKey, seed, tensor);
    }

    /// <summary>How its seeds become directions, after a look at what no pool can be.</summary>
    /// <param name="space">Pool key, K and scheme.</param>
    /// <param name="catalogue">Where the scheme is found; null for <see cref="DirectionCatalogue.BuiltIn"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">K is not 1 to 65 536.</exception>
    /// <exception cref="FormatException">The scheme is not known.</exception>
    public static DirectionScheme SchemeOf(this DirectionSpace space, DirectionCatalogue? catalogue = null)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentOutOfRangeException.ThrowIfLessThan(space.SeedCount, 1, nameof(space));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(space.SeedCount, Limits.Seeds, nameof(space));
        return (catalogue ?? DirectionCatalogue.BuiltIn)[space.Scheme];
    }
}
