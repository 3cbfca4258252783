namespace FedKSeed.Perturbation.Kernels;

/// <summary>Which form of the kernels runs. All give the same bits.</summary>
internal enum KernelPath
{
    Scalar,
    Avx2,
    Avx512,
}

internal static class KernelPaths
{
    /// <summary>The fastest that this processor has.</summary>
    public static KernelPath Best { get; } =
        Avx512Lanes.IsSupported ? KernelPath.Avx512
        : Avx2Lanes.IsSupported ? KernelPath.Avx2
        : KernelPath.Scalar;

    /// <summary>Those that this processor has.</summary>
    public static IEnumerable<KernelPath> Supported => Enum.GetValues<KernelPath>().Where(path => path <= Best);
}
