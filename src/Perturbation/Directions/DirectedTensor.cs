namespace FedKSeed.Perturbation.Directions;

/// <summary>A tensor as directions see it.</summary>
/// <param name="Ordinal">Its rank among all tensors of the base.</param>
/// <param name="Columns">Of the matrix as it is stored; 0 where it is none, or of rank 0.</param>
/// <param name="Scale">e: what a direction is multiplied with is 2ᵉ as large.</param>
/// <param name="Rank">0 for directions without structure.</param>
public readonly record struct DirectedTensor(int Ordinal, long Columns, int Scale, int Rank)
{
    /// <summary>log₂ of what z is multiplied with: e, and for rank 4 one less, whose elements are twice as large (SPEC 9).</summary>
    public int Exponent => Rank == 4 ? Scale - 1 : Scale;
}
