using FedKSeed.LanguageModels.Devices;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Weights;

/// <summary>
/// A flat tensor of a compute type that our kernels fill and libtorch reads; libtorch does not move it. In the CPU's memory, or in a
/// device's, where reading and writing are copies.
/// </summary>
public sealed unsafe class WeightBuffer : IDisposable
{
    // Spans are limited to 2³¹ elements.
    private const int MaxPiece = 1 << 26;

    private readonly nint _address;

    /// <param name="length">Elements; what they hold is undefined.</param>
    /// <param name="type">Of every element.</param>
    /// <param name="device">Where they lie.</param>
    public WeightBuffer(long length, ComputeType type, ModelDevice device)
    {
        (Length, Type, Device) = (length, type, device);
        Tensor = empty(length, type.Scalar(), device.Torch).DetachFromDisposeScope();
        _address = Tensor.Address();
    }

    /// <summary>[<see cref="Length"/>].</summary>
    public Tensor Tensor { get; }

    /// <summary>Elements.</summary>
    public long Length { get; }

    /// <summary>Of every element.</summary>
    public ComputeType Type { get; }

    /// <summary>Where they lie.</summary>
    public ModelDevice Device { get; }

    /// <summary>Whether <see cref="Floats"/> works: float32 in the CPU's memory.</summary>
    public bool HasFloats => Type == ComputeType.F32 && Device.Kernels is null;

    /// <summary>Address of an element in the memory of the device.</summary>
    public nint Address(long offset)
    {
        ObjectDisposedException.ThrowIf(Tensor.IsInvalid, this);
        return _address + (nint)(offset * Type.Size());
    }

    /// <summary>The memory itself, of a float32 buffer on the CPU.</summary>
    public Span<float> Floats(long offset, int count) => HasFloats
        ? new Span<float>((float*)Address(offset), count)
        : throw new InvalidOperationException($"The buffer is of {Type.Name()} on {Device.Name}.");

    /// <summary>Rounds float32 to the buffer's type, once.</summary>
    public void Write(long offset, ReadOnlySpan<float> values)
    {
        if (Device.Kernels is null)
        {
            Type.Narrow(values, Bytes(offset, values.Length));
            return;
        }
        var elements = new byte[checked(values.Length * Type.Size())];
        Type.Narrow(values, elements);
        Device.Kernels.Write(Address(offset), elements);
    }

    /// <summary>Widens elements to float32, which is exact for all types but float64.</summary>
    public void Read(long offset, Span<float> values)
    {
        if (Device.Kernels is null)
        {
            Type.Widen(Bytes(offset, values.Length), values);
            return;
        }
        var elements = new byte[checked(values.Length * Type.Size())];
        Device.Kernels.Read(Address(offset), elements);
        Type.Widen(elements, values);
    }

    /// <summary>
    /// Takes the elements of a buffer of equal length: of the same type, or of any where this one is float32; on whatever device.
    /// </summary>
    public void CopyFrom(WeightBuffer other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other.Type != Type && Type != ComputeType.F32)
            throw new ArgumentException($"A buffer of {other.Type.Name()} is not copied to one of {Type.Name()}.", nameof(other));
        if (Device.Kernels is not null || other.Device.Kernels is not null)
        {
            using var mode = no_grad();
            Tensor.copy_(other.Tensor);
            return;
        }
        for (long done = 0; done < Length;)
        {
            var count = (int)Math.Min(Length - done, MaxPiece);
            if (other.Type == Type)
                other.Bytes(done, count).CopyTo(Bytes(done, count));
            else
                other.Read(done, Floats(done, count));
            done += count;
        }
    }

    public void Dispose() => Tensor.Dispose();

    private Span<byte> Bytes(long offset, int count) => new((byte*)Address(offset), checked(count * Type.Size()));
}
