using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>SPEC 6, element by element and seed by seed: the reference form of <see cref="Rebuilder"/>.</summary>
internal static class RebuildScalar
{
    /// <summary>W of one element in float32.</summary>
    public static float Weight(DirectionSpace pool, ReadOnlySpan<int> quantised, int shift, int tensor, long element, float baseWeight) =>
        MathF.FusedMultiplyAdd(Rebuilder.Factor(pool.Scheme, shift), Sum(pool, quantised, tensor, element), baseWeight);

    /// <summary>Σ q·z for Rademacher, Σ q·n with z = n·2⁻¹² for Gaussian.</summary>
    public static long Sum(DirectionSpace pool, ReadOnlySpan<int> quantised, int tensor, long element)
    {
        var unit = pool.Scheme == DirectionSchemes.Rademacher ? 1f : GaussianTransform.Unit;
        long sum = 0;
        for (var seed = 0; seed < quantised.Length; seed++)
        {
            if (quantised[seed] != 0)
                sum += quantised[seed] * (long)(pool.Direction(seed, tensor).Value(element) / unit);
        }

        return sum;
    }
}
