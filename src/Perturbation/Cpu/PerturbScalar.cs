using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>SPEC 4, element by element: the reference form of <see cref="Perturb"/>, which every scheme has.</summary>
internal sealed class PerturbScalar : IPerturbKernel
{
    private PerturbScalar()
    {
    }

    public static PerturbScalar Instance { get; } = new();

    public void BothSigns(
        Direction direction, float epsilon, long firstElement, ReadOnlySpan<float> weights, Span<float> plus, Span<float> minus,
        bool isLarge)
    {
        for (var i = 0; i < weights.Length; i++)
        {
            var z = direction.Value(firstElement + i);
            var weight = weights[i];
            plus[i] = MathF.FusedMultiplyAdd(epsilon, z, weight);
            minus[i] = MathF.FusedMultiplyAdd(-epsilon, z, weight);
        }
    }

    public void Advance(Direction direction, float step, long firstElement, Span<float> weights)
    {
        for (var i = 0; i < weights.Length; i++)
            weights[i] = MathF.FusedMultiplyAdd(step, direction.Value(firstElement + i), weights[i]);
    }

    public void AdvanceThenBothSigns(
        Direction previous, float step, Direction next, float epsilon, long firstElement,
        Span<float> weights, Span<float> plus, Span<float> minus, bool isLarge)
    {
        Advance(previous, step, firstElement, weights);
        BothSigns(next, epsilon, firstElement, weights, plus, minus, isLarge);
    }
}
