using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>SPEC 6, element by element and seed by seed: the reference form of <see cref="Rebuilder"/>, which every scheme has.</summary>
internal sealed class RebuildScalar(DirectionScheme scheme, DirectionSpace pool, int[] quantised) : IRebuildKernel
{
    public void Sums(in DirectedTensor tensor, long firstElement, Span<float> sums)
    {
        for (var i = 0; i < sums.Length; i++)
            sums[i] = Sum(tensor, firstElement + i);
    }

    /// <summary>Σ q·n.</summary>
    private long Sum(in DirectedTensor tensor, long element)
    {
        long sum = 0;
        for (var seed = 0; seed < quantised.Length; seed++)
        {
            if (quantised[seed] != 0)
                sum += quantised[seed] * (long)scheme.Multiple(new Direction(scheme, pool.PoolKey, seed, tensor), element);
        }

        return sum;
    }
}
