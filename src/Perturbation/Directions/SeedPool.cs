namespace FedKSeed.Perturbation.Directions;

/// <summary>The K directions that a federation shares: SPEC 1.</summary>
public sealed record SeedPool
{
    /// <summary>The largest K: a seed index fits 16 bits.</summary>
    public const int MaxCount = 65_536;

    /// <param name="key">The 64-bit pool key, which is the Philox key of every direction.</param>
    /// <param name="count">K, the number of directions, 1 to <see cref="MaxCount"/>.</param>
    /// <param name="scheme">How a seed becomes a direction.</param>
    /// <exception cref="ArgumentOutOfRangeException">The count or the scheme is out of range.</exception>
    public SeedPool(ulong key, int count, DirectionScheme scheme)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaxCount);
        _ = scheme.Name();
        (Key, Count, Scheme) = (key, count, scheme);
    }

    public ulong Key { get; }
    public int Count { get; }
    public DirectionScheme Scheme { get; }

    /// <summary>The part of direction <paramref name="seed"/> that belongs to one tensor.</summary>
    /// <param name="seed">Seed index j, 0 to <see cref="Count"/> − 1.</param>
    /// <param name="tensor">The tensor's ordinal.</param>
    /// <exception cref="ArgumentOutOfRangeException">The seed is not in the pool, or the ordinal is negative.</exception>
    public Direction Direction(int seed, int tensor)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(seed);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(seed, Count);
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        return new Direction(Key, Scheme, seed, tensor);
    }
}
