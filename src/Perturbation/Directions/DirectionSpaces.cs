using FedKSeed.Contracts;

namespace FedKSeed.Perturbation.Directions;

/// <summary>Directions of a <see cref="DirectionSpace"/> as functions of the element.</summary>
public static class DirectionSpaces
{
    /// <summary>The part of direction <paramref name="seed"/> that belongs to one tensor.</summary>
    /// <param name="space">Pool key, K, scheme and tensors.</param>
    /// <param name="seed">Seed index j, 0 to K − 1.</param>
    /// <param name="tensor">The tensor's ordinal.</param>
    /// <param name="columns">Of a matrix as it is stored; needed where its rank is above 0.</param>
    /// <param name="catalogue">Where the scheme is found; null for <see cref="DirectionCatalogue.BuiltIn"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// The seed is not in the pool, the ordinal is negative, or columns are needed and not given.
    /// </exception>
    /// <exception cref="FormatException">The scheme is not known.</exception>
    public static Direction Direction(
        this DirectionSpace space, int seed, int tensor, long columns = 0, DirectionCatalogue? catalogue = null)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentOutOfRangeException.ThrowIfNegative(seed);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(seed, space.SeedCount);
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        var directed = space.Directed(tensor, columns);
        return new Direction(space.SchemeOf(catalogue), space.PoolKey, seed, directed ?? new(tensor, 0, 0, 0), isFrozen: directed is null);
    }

    /// <summary>A tensor as this space's directions see it; null if it is frozen.</summary>
    /// <inheritdoc cref="Direction"/>
    public static DirectedTensor? Directed(this DirectionSpace space, int tensor, long columns = 0)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        if (space.Tensors is not { } trained)
            return new DirectedTensor(tensor, 0, 0, 0);
        (var low, var high) = (0, trained.Count - 1);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            (low, high) = trained[middle].Ordinal < tensor ? (middle + 1, high) : (low, middle);
        }

        if (low > high || trained[low].Ordinal != tensor)
            return null;
        if (trained[low].Rank == 0)
            return new DirectedTensor(tensor, 0, trained[low].Scale, 0);
        return columns > 0
            ? new DirectedTensor(tensor, columns, trained[low].Scale, trained[low].Rank)
            : throw new ArgumentOutOfRangeException(
                nameof(columns), $"Tensor {tensor} has directions of rank {trained[low].Rank}: its columns must be given.");
    }

    /// <summary>How its seeds become directions, after a look at what no pool can be.</summary>
    /// <param name="space">Pool key, K, scheme and tensors.</param>
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
