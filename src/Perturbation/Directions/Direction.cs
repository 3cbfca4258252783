using FedKSeed.Perturbation.Cpu;

namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// One seed's direction z within one tensor, as a pure function of the element index. <see cref="Value"/> is SPEC 2 and 3
/// said plainly, one element at a time: the reference that the vectorised kernels are tested against.
/// Made by <see cref="DirectionSpaces.Direction"/>.
/// </summary>
public readonly record struct Direction
{
    private const int SeedsPerWord = 32;
    internal const uint GaussianTensors = 0x8000_0000;

    internal Direction(ulong key, DirectionScheme scheme, int seed, int tensor) =>
        (Key, Scheme, Seed, Tensor) = (key, scheme, seed, tensor);

    public ulong Key { get; }
    public DirectionScheme Scheme { get; }
    public int Seed { get; }
    public int Tensor { get; }

    /// <summary>Third word of the Philox counter: the group of 32 seeds that share a call, or the seed itself.</summary>
    internal uint CounterSeed => Scheme == DirectionScheme.PhiloxRademacher ? (uint)Seed / SeedsPerWord : (uint)Seed;

    /// <summary>Fourth word of the Philox counter: the tensor, with the top bit set for Gaussian directions.</summary>
    internal uint CounterTensor => Scheme == DirectionScheme.PhiloxRademacher ? (uint)Tensor : (uint)Tensor | GaussianTensors;

    /// <summary>The bit of a Rademacher word that belongs to this seed.</summary>
    internal int SignBit => Seed % SeedsPerWord;

    /// <summary>z of one element: ±1, or a multiple of 2⁻¹² with |z| &lt; 8. Exact in float32 either way.</summary>
    /// <param name="element">Row-major flat index in the tensor.</param>
    public float Value(long element)
    {
        var words = Philox4x32.Generate(Counter(element), Key);
        var position = (int)(element & 3);
        return Scheme == DirectionScheme.PhiloxRademacher
            ? ((words[position] >> SignBit) & 1) == 1 ? 1f : -1f
            : GaussianTransform.Multiple(words, position) * GaussianTransform.Unit;
    }

    private Philox4x32.Block Counter(long element)
    {
        var block = (ulong)element >> 2;
        return new((uint)block, (uint)(block >> 32), CounterSeed, CounterTensor);
    }
}
