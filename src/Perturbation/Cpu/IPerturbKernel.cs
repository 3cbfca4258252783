using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>
/// <see cref="Perturb"/> in one of its forms; all give the bits of <see cref="PerturbScalar"/>. What is large leaves the caches before
/// anybody reads it, so it may be written past them; a <see cref="System.Runtime.Intrinsics.X86.Sse.StoreFence"/> is the caller's.
/// </summary>
internal interface IPerturbKernel
{
    void BothSigns(
        Direction direction, float epsilon, long firstElement, ReadOnlySpan<float> weights, Span<float> plus, Span<float> minus,
        bool isLarge);

    void Advance(Direction direction, float step, long firstElement, Span<float> weights);

    void AdvanceThenBothSigns(
        Direction previous, float step, Direction next, float epsilon, long firstElement,
        Span<float> weights, Span<float> plus, Span<float> minus, bool isLarge);
}
