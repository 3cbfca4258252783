namespace FedKSeed.Perturbation.Cpu;

/// <summary>Which form of the kernels runs. All give the same bits.</summary>
public enum KernelPath
{
    /// <summary>One element and seed at a time: the reference form.</summary>
    Scalar,
    Avx2,
    Avx512,
}

public static class KernelPaths
{
    /// <summary>The fastest that this processor has.</summary>
    public static KernelPath Best { get; } =
        Avx512Lanes.IsSupported ? KernelPath.Avx512
        : Avx2Lanes.IsSupported ? KernelPath.Avx2
        : KernelPath.Scalar;

    /// <summary>Those that this processor has.</summary>
    public static IEnumerable<KernelPath> Supported => Enum.GetValues<KernelPath>().Where(path => path <= Best);
}
