using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>acc of SPEC 6 for one version, in one of its forms; all give the bits of <see cref="RebuildScalar"/>.</summary>
internal interface IRebuildKernel
{
    private const int Piece = 4096;

    /// <summary>float32(acc) of as many elements as there are sums.</summary>
    void Sums(in DirectedTensor tensor, long firstElement, Span<float> sums);

    /// <summary>Most elements that are worth doing at once: their sums stay in a cache, and what they share is done once.</summary>
    int PieceOf(in DirectedTensor tensor) => Piece;
}
