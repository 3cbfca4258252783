using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>SPEC 4, element by element: the reference form of <see cref="Perturb"/>.</summary>
internal static class PerturbScalar
{
    public static void BothSigns(
        Direction direction, float epsilon, long firstElement, ReadOnlySpan<float> weights, Span<float> plus, Span<float> minus)
    {
        for (var i = 0; i < weights.Length; i++)
        {
            var z = direction.Value(firstElement + i);
            var weight = weights[i];
            plus[i] = MathF.FusedMultiplyAdd(epsilon, z, weight);
            minus[i] = MathF.FusedMultiplyAdd(-epsilon, z, weight);
        }
    }

    public static void Advance(Direction direction, float step, long firstElement, Span<float> weights)
    {
        for (var i = 0; i < weights.Length; i++)
            weights[i] = MathF.FusedMultiplyAdd(step, direction.Value(firstElement + i), weights[i]);
    }

    public static void AdvanceThenBothSigns(
        Direction previous, float step, Direction next, float epsilon, long firstElement, Span<float> weights, Span<float> plus,
        Span<float> minus)
    {
        Advance(previous, step, firstElement, weights);
        BothSigns(next, epsilon, firstElement, weights, plus, minus);
    }
}
