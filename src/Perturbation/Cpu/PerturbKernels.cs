using FedKSeed.Perturbation.Directions;

using Gaussian256 = FedKSeed.Perturbation.Cpu.PerturbLanes<
    FedKSeed.Perturbation.Cpu.GaussianLanes<
        FedKSeed.Perturbation.Cpu.Avx2Lanes, System.Runtime.Intrinsics.Vector256<uint>, System.Runtime.Intrinsics.Vector256<float>>,
    FedKSeed.Perturbation.Cpu.Avx2Lanes, System.Runtime.Intrinsics.Vector256<uint>, System.Runtime.Intrinsics.Vector256<float>>;
using Gaussian512 = FedKSeed.Perturbation.Cpu.PerturbLanes<
    FedKSeed.Perturbation.Cpu.GaussianLanes<
        FedKSeed.Perturbation.Cpu.Avx512Lanes, System.Runtime.Intrinsics.Vector512<uint>, System.Runtime.Intrinsics.Vector512<float>>,
    FedKSeed.Perturbation.Cpu.Avx512Lanes, System.Runtime.Intrinsics.Vector512<uint>, System.Runtime.Intrinsics.Vector512<float>>;
using Rademacher256 = FedKSeed.Perturbation.Cpu.PerturbLanes<
    FedKSeed.Perturbation.Cpu.RademacherLanes<
        FedKSeed.Perturbation.Cpu.Avx2Lanes, System.Runtime.Intrinsics.Vector256<uint>, System.Runtime.Intrinsics.Vector256<float>>,
    FedKSeed.Perturbation.Cpu.Avx2Lanes, System.Runtime.Intrinsics.Vector256<uint>, System.Runtime.Intrinsics.Vector256<float>>;
using Rademacher512 = FedKSeed.Perturbation.Cpu.PerturbLanes<
    FedKSeed.Perturbation.Cpu.RademacherLanes<
        FedKSeed.Perturbation.Cpu.Avx512Lanes, System.Runtime.Intrinsics.Vector512<uint>, System.Runtime.Intrinsics.Vector512<float>>,
    FedKSeed.Perturbation.Cpu.Avx512Lanes, System.Runtime.Intrinsics.Vector512<uint>, System.Runtime.Intrinsics.Vector512<float>>;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>
/// <see cref="Perturb"/> on a chosen path. What is large leaves the caches before anybody reads it, so it is written past them; a
/// <see cref="System.Runtime.Intrinsics.X86.Sse.StoreFence"/> is the caller's.
/// </summary>
internal static class PerturbKernels
{
    public static void BothSigns(
        KernelPath path, Direction direction, float epsilon, long firstElement, ReadOnlySpan<float> weights, Span<float> plus,
        Span<float> minus, bool isLarge = false)
    {
        switch (path, direction.Scheme)
        {
            case (KernelPath.Avx512, DirectionScheme.PhiloxRademacher):
                Rademacher512.BothSigns(direction, epsilon, firstElement, weights, plus, minus, isLarge);
                break;
            case (KernelPath.Avx512, DirectionScheme.PhiloxGaussian):
                Gaussian512.BothSigns(direction, epsilon, firstElement, weights, plus, minus, isLarge);
                break;
            case (KernelPath.Avx2, DirectionScheme.PhiloxRademacher):
                Rademacher256.BothSigns(direction, epsilon, firstElement, weights, plus, minus, isLarge);
                break;
            case (KernelPath.Avx2, DirectionScheme.PhiloxGaussian):
                Gaussian256.BothSigns(direction, epsilon, firstElement, weights, plus, minus, isLarge);
                break;
            default:
                PerturbScalar.BothSigns(direction, epsilon, firstElement, weights, plus, minus);
                break;
        }
    }

    public static void Advance(
        KernelPath path, Direction direction, float step, long firstElement, Span<float> weights)
    {
        switch (path, direction.Scheme)
        {
            case (KernelPath.Avx512, DirectionScheme.PhiloxRademacher):
                Rademacher512.Advance(direction, step, firstElement, weights);
                break;
            case (KernelPath.Avx512, DirectionScheme.PhiloxGaussian):
                Gaussian512.Advance(direction, step, firstElement, weights);
                break;
            case (KernelPath.Avx2, DirectionScheme.PhiloxRademacher):
                Rademacher256.Advance(direction, step, firstElement, weights);
                break;
            case (KernelPath.Avx2, DirectionScheme.PhiloxGaussian):
                Gaussian256.Advance(direction, step, firstElement, weights);
                break;
            default:
                PerturbScalar.Advance(direction, step, firstElement, weights);
                break;
        }
    }

    public static void AdvanceThenBothSigns(
        KernelPath path, Direction previous, float step, Direction next, float epsilon, long firstElement,
        Span<float> weights, Span<float> plus, Span<float> minus, bool isLarge = false)
    {
        switch (path, next.Scheme)
        {
            case (KernelPath.Avx512, DirectionScheme.PhiloxRademacher):
                Rademacher512.AdvanceThenBothSigns(previous, step, next, epsilon, firstElement, weights, plus, minus, isLarge);
                break;
            case (KernelPath.Avx512, DirectionScheme.PhiloxGaussian):
                Gaussian512.AdvanceThenBothSigns(previous, step, next, epsilon, firstElement, weights, plus, minus, isLarge);
                break;
            case (KernelPath.Avx2, DirectionScheme.PhiloxRademacher):
                Rademacher256.AdvanceThenBothSigns(previous, step, next, epsilon, firstElement, weights, plus, minus, isLarge);
                break;
            case (KernelPath.Avx2, DirectionScheme.PhiloxGaussian):
                Gaussian256.AdvanceThenBothSigns(previous, step, next, epsilon, firstElement, weights, plus, minus, isLarge);
                break;
            default:
                PerturbScalar.AdvanceThenBothSigns(previous, step, next, epsilon, firstElement, weights, plus, minus);
                break;
        }
    }
}
