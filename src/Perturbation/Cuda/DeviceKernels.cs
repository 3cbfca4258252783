using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cuda;

/// <summary>What kernels.cu has for a direction scheme.</summary>
/// <param name="Perturb">What the names of the kernels that perturb say for it.</param>
/// <param name="Rebuild">What the names of those that rebuild tensors without structure say.</param>
/// <param name="SeedsPerStep">Seeds that one step of the plain rebuild adds.</param>
/// <param name="HasBinaryForm">Whether there is a rebuild by binary tensor cores.</param>
internal sealed record DeviceKernels(string Perturb, string Rebuild, int SeedsPerStep, bool HasBinaryForm)
{
    /// <inheritdoc cref="Of(DirectionScheme)"/>
    public static DeviceKernels Of(DirectionSpace pool) => Of(pool.SchemeOf());

    /// <exception cref="NotSupportedException">There are none for the scheme.</exception>
    public static DeviceKernels Of(DirectionScheme scheme) => scheme.OnDevice
        ?? throw new NotSupportedException($"Directions of scheme '{scheme.Name}' have no CUDA kernels; use --device cpu.");
}
