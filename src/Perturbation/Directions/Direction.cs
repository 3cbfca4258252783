namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// One seed's direction z within one tensor, as a pure function of the element index. Made by <see cref="DirectionSpaces.Direction"/>.
/// </summary>
public readonly record struct Direction
{
    internal Direction(DirectionScheme scheme, ulong key, int seed, in DirectedTensor tensor, bool isFrozen = false) =>
        (Scheme, Key, Seed, Of, IsFrozen) = (scheme, key, seed, tensor, isFrozen);

    public DirectionScheme Scheme { get; }
    public ulong Key { get; }
    public int Seed { get; }

    /// <summary>The tensor.</summary>
    public DirectedTensor Of { get; }

    /// <summary>The tensor's ordinal.</summary>
    public int Tensor => Of.Ordinal;

    /// <summary>The tensor does not move: z is 0.</summary>
    public bool IsFrozen { get; }

    /// <summary>
    /// z of one element, exact in float32 and without the tensor's scale: the reference that the kernels are tested against.
    /// </summary>
    /// <param name="element">Row-major flat index in the tensor.</param>
    public float Value(long element) => IsFrozen ? 0 : MathF.ScaleB(Scheme.Multiple(this, element), Scheme.UnitExponent);

    /// <summary>ε or −η·g as it meets this tensor: times 2ᵉ, which is exact.</summary>
    internal float Scaled(float factor) => MathF.ScaleB(factor, Of.Exponent);
}
