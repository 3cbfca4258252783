using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cuda;

/// <summary>What kernels.cu has for a direction scheme.</summary>
/// <param name="Name">What the kernels' names say for it.</param>
/// <param name="SeedsPerStep">Seeds that one step of the plain rebuild adds.</param>
/// <param name="HasBinaryForm">Whether there is a rebuild by binary tensor cores.</param>
internal sealed record DeviceKernels(string Name, int SeedsPerStep, bool HasBinaryForm)
{
    /// <exception cref="NotSupportedException">There are none for the scheme, or for the space's groups.</exception>
    public static DeviceKernels Of(DirectionSpace pool) => pool.Tensors is null
        ? Of(pool.SchemeOf())
        : throw new NotSupportedException("Groups of tensors are not known to the CUDA kernels; use --device cpu.");

    /// <inheritdoc cref="Of(DirectionSpace)"/>
    public static DeviceKernels Of(DirectionScheme scheme) => scheme.OnDevice
        ?? throw new NotSupportedException($"Directions of scheme '{scheme.Name}' have no CUDA kernels; use --device cpu.");
}
