using System.Runtime.InteropServices;
using FedKSeed.Checkpoints;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>The type of weights and activations in a forward pass. Losses are summed in float32 or better whatever it is.</summary>
public enum ComputeType
{
    /// <summary>The precise one that every CPU is quick with.</summary>
    F32,

    /// <summary>
    /// Half the memory, three significant digits, the range of float32; quicker still where the CPU has instructions for it.
    /// </summary>
    BF16,

    /// <summary>Half the memory, four significant digits, nothing beyond 65 504.</summary>
    F16,

    /// <summary>For checking the others.</summary>
    F64,
}

public static class ComputeTypes
{
    /// <summary>"float32", "bfloat16", "float16" or "float64", as <c>--dtype</c> and config.json name them.</summary>
    public static string Name(this ComputeType type) => type switch
    {
        ComputeType.F32 => "float32",
        ComputeType.BF16 => "bfloat16",
        ComputeType.F16 => "float16",
        ComputeType.F64 => "float64",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    /// <exception cref="FormatException">There is no such type; the message lists those there are.</exception>
    public static ComputeType Parse(string name)
    {
        var all = Enum.GetValues<ComputeType>();
        var found = Array.FindIndex(all, type => type.Name() == name);
        return found >= 0 ? all[found]
            : throw new FormatException($"'{name}' is not a compute type; there are {string.Join(", ", all.Select(type => type.Name()))}.");
    }

    /// <summary>What torch calls the type.</summary>
    public static ScalarType Scalar(this ComputeType type) => type switch
    {
        ComputeType.F32 => ScalarType.Float32,
        ComputeType.BF16 => ScalarType.BFloat16,
        ComputeType.F16 => ScalarType.Float16,
        ComputeType.F64 => ScalarType.Float64,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    /// <summary>Bytes of one element.</summary>
    public static int Size(this ComputeType type) => type switch
    {
        ComputeType.F64 => 8,
        ComputeType.F32 => 4,
        _ => 2,
    };

    /// <summary>Rounds float32 to the type, once, to nearest even.</summary>
    public static void Narrow(this ComputeType type, ReadOnlySpan<float> values, Span<byte> elements)
    {
        if (type == ComputeType.F64)
            Widen(values, MemoryMarshal.Cast<byte, double>(elements));
        else
            type.Stored().Narrow(values, elements);
    }

    /// <summary>To float32, which is exact for all but float64.</summary>
    public static void Widen(this ComputeType type, ReadOnlySpan<byte> elements, Span<float> values)
    {
        if (type == ComputeType.F64)
            Round(MemoryMarshal.Cast<byte, double>(elements), values);
        else
            type.Stored().Widen(elements, values);
    }

    /// <summary>The tensor itself, or a float32 one where it is of 16 bits: sums over many elements would lose too much.</summary>
    public static Tensor AtLeastFloat32(this Tensor tensor) =>
        tensor.dtype is ScalarType.Float16 or ScalarType.BFloat16 ? tensor.to(ScalarType.Float32) : tensor;

    /// <summary>The safetensors type of the same bits; there is none that is kept in float64.</summary>
    public static TensorType Stored(this ComputeType type) => type switch
    {
        ComputeType.BF16 => TensorType.BF16,
        ComputeType.F16 => TensorType.F16,
        _ => TensorType.F32,
    };

    private static void Widen(ReadOnlySpan<float> values, Span<double> elements)
    {
        for (var i = 0; i < values.Length; i++)
            elements[i] = values[i];
    }

    private static void Round(ReadOnlySpan<double> elements, Span<float> values)
    {
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)elements[i];
    }
}
