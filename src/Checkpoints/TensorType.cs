using System.Numerics;
using System.Runtime.InteropServices;

namespace FedKSeed.Checkpoints;

/// <summary>Element types of the safetensors format.</summary>
public enum TensorType
{
    F32,
    F16,
    BF16,
    F64,
    F8E4M3,
    F8E5M2,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

public static class TensorTypes
{
    private const uint QuietBit = 1 << 6; // of a BF16 NaN: rounding must not carry it into an infinity

    private static readonly Dictionary<string, TensorType> ByName = new()
    {
        ["F32"] = TensorType.F32,
        ["F16"] = TensorType.F16,
        ["BF16"] = TensorType.BF16,
        ["F64"] = TensorType.F64,
        ["F8_E4M3"] = TensorType.F8E4M3,
        ["F8_E5M2"] = TensorType.F8E5M2,
        ["I64"] = TensorType.I64,
        ["I32"] = TensorType.I32,
        ["I16"] = TensorType.I16,
        ["I8"] = TensorType.I8,
        ["U64"] = TensorType.U64,
        ["U32"] = TensorType.U32,
        ["U16"] = TensorType.U16,
        ["U8"] = TensorType.U8,
        ["BOOL"] = TensorType.Bool,
    };

    private static readonly Dictionary<TensorType, string> Names = ByName.ToDictionary(pair => pair.Value, pair => pair.Key);

    /// <summary>The type's name in a safetensors header.</summary>
    public static string Name(this TensorType type) => Names[type];

    public static bool TryParse(string name, out TensorType type) => ByName.TryGetValue(name, out type);

    /// <summary>Bytes of one element.</summary>
    public static int Size(this TensorType type) => type switch
    {
        TensorType.F64 or TensorType.I64 or TensorType.U64 => 8,
        TensorType.F32 or TensorType.I32 or TensorType.U32 => 4,
        TensorType.F16 or TensorType.BF16 or TensorType.I16 or TensorType.U16 => 2,
        _ => 1,
    };

    public static bool IsFloatingPoint(this TensorType type) => type is
        TensorType.F32 or TensorType.F16 or TensorType.BF16 or TensorType.F64 or TensorType.F8E4M3 or TensorType.F8E5M2;

    /// <summary>Widens elements of F32, F16 or BF16 to float32, which is exact.</summary>
    /// <exception cref="ArgumentException">The lengths disagree, or the type is another one.</exception>
    public static void Widen(this TensorType type, ReadOnlySpan<byte> elements, Span<float> target)
    {
        if (elements.Length != (long)target.Length * type.Size())
            throw new ArgumentException($"{elements.Length} bytes are not {target.Length} elements of {type.Name()}.");
        switch (type)
        {
            case TensorType.F32:
                elements.CopyTo(MemoryMarshal.AsBytes(target));
                break;
            case TensorType.F16:
                WidenHalf(MemoryMarshal.Cast<byte, Half>(elements), target);
                break;
            case TensorType.BF16:
                WidenBrain(MemoryMarshal.Cast<byte, ushort>(elements), target);
                break;
            default:
                throw new ArgumentException($"{type.Name()} is not a type of weights.", nameof(type));
        }
    }

    /// <summary>Rounds float32 to F32, F16 or BF16, to nearest even.</summary>
    /// <exception cref="ArgumentException">The lengths disagree, or the type is another one.</exception>
    public static void Narrow(this TensorType type, ReadOnlySpan<float> source, Span<byte> elements)
    {
        if (elements.Length != (long)source.Length * type.Size())
            throw new ArgumentException($"{elements.Length} bytes do not hold {source.Length} elements of {type.Name()}.");
        switch (type)
        {
            case TensorType.F32:
                MemoryMarshal.AsBytes(source).CopyTo(elements);
                break;
            case TensorType.F16:
                NarrowHalf(source, MemoryMarshal.Cast<byte, Half>(elements));
                break;
            case TensorType.BF16:
                NarrowBrain(source, MemoryMarshal.Cast<byte, ushort>(elements));
                break;
            default:
                throw new ArgumentException($"{type.Name()} is not a type of weights.", nameof(type));
        }
    }

    private static void NarrowHalf(ReadOnlySpan<float> source, Span<Half> target)
    {
        for (var i = 0; i < source.Length; i++)
            target[i] = (Half)source[i];
    }

    private static void NarrowBrain(ReadOnlySpan<float> source, Span<ushort> target)
    {
        var i = 0;
        for (; i <= source.Length - 2 * Vector<uint>.Count; i += 2 * Vector<uint>.Count)
        {
            var low = RoundToBrain(Vector.LoadUnsafe(in source[i]));
            var high = RoundToBrain(Vector.LoadUnsafe(in source[i + Vector<uint>.Count]));
            Vector.Narrow(low, high).StoreUnsafe(ref target[i]);
        }

        for (; i < source.Length; i++)
            target[i] = RoundToBrain(source[i]);
    }

    /// <summary>The same arithmetic on a vector; the results are in the lower halves.</summary>
    private static Vector<uint> RoundToBrain(Vector<float> values)
    {
        Vector<uint> bits = values.As<float, uint>(), upper = bits >>> 16;
        var rounded = (bits + new Vector<uint>(0x7FFF) + (upper & Vector<uint>.One)) >>> 16;
        return Vector.ConditionalSelect(Vector.Equals(values, values).As<int, uint>(), rounded, upper | new Vector<uint>(QuietBit));
    }

    /// <summary>
    /// BF16 is the upper half of float32; half an ulp less one, plus one if odd, carries exactly when the nearest even lies above.
    /// </summary>
    private static ushort RoundToBrain(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value)
            ? (ushort)((bits >> 16) | QuietBit)
            : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static void WidenHalf(ReadOnlySpan<Half> elements, Span<float> target)
    {
        for (var i = 0; i < elements.Length; i++)
            target[i] = (float)elements[i];
    }

    private static void WidenBrain(ReadOnlySpan<ushort> elements, Span<float> target)
    {
        var i = 0;
        for (; i <= elements.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(in elements[i]), out var low, out var high);
            (low << 16).As<uint, float>().StoreUnsafe(ref target[i]);
            (high << 16).As<uint, float>().StoreUnsafe(ref target[i + Vector<uint>.Count]);
        }

        for (; i < elements.Length; i++)
            target[i] = BitConverter.UInt32BitsToSingle((uint)elements[i] << 16);
    }
}
