namespace FedKSeed.Perturbation.Cpu;

/// <summary>acc of SPEC 6 for one version, in one of its forms; all give the bits of <see cref="RebuildScalar"/>.</summary>
internal interface IRebuildKernel
{
    /// <summary>float32(acc) of as many elements as there are sums.</summary>
    void Sums(int tensor, long firstElement, Span<float> sums);
}
