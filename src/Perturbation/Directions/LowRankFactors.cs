using FedKSeed.Perturbation.Cpu;

namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// The signs u and v whose products a direction of low rank is (SPEC 9), for who never writes the product down:
/// x·zᵀ = Σ (x·v)·uᵀ.
/// </summary>
public static class LowRankFactors
{
    /// <summary>u of the rows from 0 on, ±1 each.</summary>
    /// <param name="direction">Of rank 1 or more.</param>
    /// <param name="product">Which of the products, below the rank.</param>
    /// <param name="signs">As many as are wanted.</param>
    public static void Rows(Direction direction, int product, Span<float> signs) =>
        Fill(direction, product, LowRankScheme.RowBlock(product, 0), signs);

    /// <summary>v of the columns from 0 on, ±1 each.</summary>
    /// <inheritdoc cref="Rows"/>
    public static void Columns(Direction direction, int product, Span<float> signs) =>
        Fill(direction, product, LowRankScheme.ColumnBlock(product, 0), signs);

    private static void Fill(Direction direction, int product, ulong block, Span<float> signs)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(product);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(product, direction.Of.Rank);
        direction.Scheme.Signs(direction, block, signs, KernelPaths.Best);
    }
}
