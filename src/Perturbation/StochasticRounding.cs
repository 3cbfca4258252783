using System.Runtime.InteropServices;
using FedKSeed.Checkpoints;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation;

/// <summary>
/// Local updates of weights of 16 bits, which to-nearest rounding would lose (SPEC 4): η·g is about 1e-6, half an ulp of such a weight
/// 1e-4. w ← round(float32(w) + step·z), up with the probability of the fraction that is cut off, so that the mean is exact. The random
/// bits are a function of pool key, draw, tensor and element: Philox4x32-10 with the counter (low32(i/8), high32(i/8) | 2³¹, draw,
/// tensor), of whose 128 bits element i has the 16-bit half i%8. No direction's counter has that top bit. This is the reference form of
/// kernels.cu, element by element.
/// </summary>
public static class StochasticRounding
{
    private const uint RoundingCounters = 0x8000_0000;
    private const int RandomBits = 16;

    // float16: 10 bits of significand, exponents from 2⁻¹⁴, multiples of 2⁻²⁴ below.
    private const int LeastNormalExponent = 127 - 14, DroppedBits = 23 - 10, OverflowExponent = 127 + 16;
    private const uint HalfInfinity = 0x7C00;

    /// <param name="direction">z.</param>
    /// <param name="step">−η·g.</param>
    /// <param name="draw">Which random bits; another number for every update of the same weights.</param>
    /// <param name="firstElement">Where in the tensor the weights begin.</param>
    /// <param name="type">F16 or BF16.</param>
    /// <param name="weights">The weights.</param>
    /// <exception cref="ArgumentException">The type is another one.</exception>
    public static void Advance(Direction direction, float step, uint draw, long firstElement, TensorType type, Span<byte> weights)
    {
        if (type is not (TensorType.F16 or TensorType.BF16))
            throw new ArgumentException($"Weights of {type.Name()} are not rounded stochastically.", nameof(type));
        if (direction.IsFrozen)
            return;
        step = direction.Scaled(step);
        var stored = MemoryMarshal.Cast<byte, ushort>(weights);
        for (var i = 0; i < stored.Length; i++)
        {
            var element = firstElement + i;
            var weight = type == TensorType.BF16
                ? BitConverter.UInt32BitsToSingle((uint)stored[i] << 16)
                : (float)BitConverter.UInt16BitsToHalf(stored[i]);
            var moved = MathF.FusedMultiplyAdd(step, direction.Value(element), weight);
            var random = Random(direction, draw, element);
            stored[i] = !float.IsFinite(moved) ? Nearest(type, moved)
                : type == TensorType.BF16 ? (ushort)((BitConverter.SingleToUInt32Bits(moved) + random) >> 16)
                : RoundToHalf(moved, random);
        }
    }

    private static uint Random(Direction direction, uint draw, long element)
    {
        var group = (ulong)element >> 3;
        var words = Philox4x32.Generate(
            new((uint)group, (uint)(group >> 32) | RoundingCounters, draw, (uint)direction.Tensor), direction.Key);
        var half = (int)(element & 7);
        return words[half / 2] >> (RandomBits * (half % 2)) & 0xFFFF;
    }

    private static ushort RoundToHalf(float value, uint random)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        (var sign, var magnitude) = (bits >> 16 & 0x8000, bits & 0x7FFF_FFFF);
        var exponent = (int)(magnitude >> 23);
        if (exponent >= LeastNormalExponent)
        {
            var carried = (magnitude + (random >> (RandomBits - DroppedBits))) >> DroppedBits;
            const uint rebias = (LeastNormalExponent - 1) << 10;
            return (ushort)(sign | (carried >= OverflowExponent << 10 ? HalfInfinity : carried - rebias));
        }
        var cut = DroppedBits + LeastNormalExponent - exponent; // bits below 2⁻²⁴
        if (cut > 47)
            return (ushort)sign; // below 2⁻⁴⁷ there is nothing to be rounded up
        ulong significand = (magnitude & 0x7F_FFFF) | 0x80_0000;
        var added = cut < RandomBits ? random >> (RandomBits - cut) : (ulong)random << (cut - RandomBits);
        return (ushort)(sign | (uint)((significand + added) >> cut));
    }

    private static ushort Nearest(TensorType type, float value)
    {
        Span<byte> element = stackalloc byte[sizeof(ushort)];
        type.Narrow([value], element);
        return BitConverter.ToUInt16(element);
    }
}
