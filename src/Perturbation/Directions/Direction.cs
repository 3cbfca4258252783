namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// One seed's direction z within one tensor, as a pure function of the element index. Made by <see cref="DirectionSpaces.Direction"/>.
/// </summary>
public readonly record struct Direction
{
    internal Direction(DirectionScheme scheme, ulong key, int seed, int tensor) =>
        (Scheme, Key, Seed, Tensor) = (scheme, key, seed, tensor);

    public DirectionScheme Scheme { get; }
    public ulong Key { get; }
    public int Seed { get; }
    public int Tensor { get; }

    /// <summary>z of one element, exact in float32: the reference that the kernels are tested against.</summary>
    /// <param name="element">Row-major flat index in the tensor.</param>
    public float Value(long element) => MathF.ScaleB(Scheme.Multiple(this, element), Scheme.UnitExponent);
}
