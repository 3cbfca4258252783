using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Cuda;

namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// How a seed becomes a direction. Every party of a federation must use the same one, so a scheme never changes: what would be another
/// direction gets another name. A scheme is one class that says everything about it; <see cref="DirectionCatalogue"/> finds it by its name.
/// What it must say is <see cref="Multiple"/>: perturbing and rebuilding then go element by element. Kernels make it fast, and give the
/// same bits. Without state, so one instance serves all tensors and threads.
/// </summary>
public abstract class DirectionScheme
{
    /// <summary>What it is called in settings, messages and logs: one of <see cref="DirectionSchemes"/>.</summary>
    public abstract string Name { get; }

    /// <summary>log₂ of what a multiple counts: z = n · 2^<see cref="UnitExponent"/>. Sums of a rebuild are of n, and so exact.</summary>
    public virtual int UnitExponent => 0;

    /// <summary>
    /// n of one element, said plainly: the reference that every kernel is tested against. Less than 2²⁴ in magnitude, and the same on every
    /// machine: integers and correctly rounded operations only.
    /// </summary>
    /// <param name="direction">Key, seed and tensor.</param>
    /// <param name="element">Row-major flat index in the tensor.</param>
    public abstract int Multiple(Direction direction, long element);

    /// <summary>±1 of the elements from a block on: factors of directions of low rank. A scheme without any has none.</summary>
    internal virtual void Signs(Direction direction, ulong block, Span<float> signs, KernelPath path) =>
        throw new NotSupportedException($"Directions of {Name} are no products.");

    /// <summary>What CUDA has for it; null where it has nothing.</summary>
    internal virtual DeviceKernels? OnDevice => null;

    /// <summary>What perturbs on a path.</summary>
    internal virtual IPerturbKernel PerturbKernel(KernelPath path) => PerturbScalar.Instance;

    /// <summary>What sums q·n over all seeds on a path, for one version.</summary>
    /// <param name="path">One that this processor has.</param>
    /// <param name="pool">Of this scheme.</param>
    /// <param name="quantised">q, one per seed; nobody changes it.</param>
    internal virtual IRebuildKernel RebuildKernel(KernelPath path, DirectionSpace pool, int[] quantised) =>
        new RebuildScalar(this, pool, quantised);
}
