using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

/// <summary>A flat tensor in the CPU's memory, of a compute type, that our kernels fill and libtorch reads; libtorch does not move it.</summary>
internal sealed unsafe class WeightBuffer : IDisposable
{
    // Spans are limited to 2³¹ elements.
    private const int MaxPiece = 1 << 26;

    private readonly byte* _address;

    public WeightBuffer(long length, ComputeType type)
    {
        (Length, Type) = (length, type);
        Tensor = empty(length, type.Scalar()).DetachFromDisposeScope();
        using Tensor first = Tensor.narrow(0, 0, 1); // a span over all of it may be too long
        _address = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(first.bytes));
    }

    /// <summary>[<see cref="Length"/>].</summary>
    public Tensor Tensor { get; }

    /// <summary>Elements.</summary>
    public long Length { get; }
    public ComputeType Type { get; }

    /// <summary>Whether <see cref="Floats"/> works.</summary>
    public bool IsFloat32 => Type == ComputeType.F32;

    /// <summary>The memory itself, of a float32 buffer.</summary>
    public Span<float> Floats(long offset, int count) =>
        IsFloat32 ? new Span<float>((float*)Address(offset), count) : throw new InvalidOperationException($"The buffer is of {Type.Name()}.");

    /// <summary>Rounds float32 to the buffer's type, once.</summary>
    public void Write(long offset, ReadOnlySpan<float> values) => Type.Narrow(values, Bytes(offset, values.Length));

    public void Read(long offset, Span<float> values) => Type.Widen(Bytes(offset, values.Length), values);

    /// <summary>Takes the elements of a buffer of equal length: of the same type, or of any where this one is float32.</summary>
    public void CopyFrom(WeightBuffer other)
    {
        for (long done = 0; done < Length;)
        {
            int count = (int)Math.Min(Length - done, MaxPiece);
            if (other.Type == Type)
                other.Bytes(done, count).CopyTo(Bytes(done, count));
            else
                other.Read(done, Floats(done, count));
            done += count;
        }
    }

    public void Dispose() => Tensor.Dispose();

    private Span<byte> Bytes(long offset, int count) => new(Address(offset), checked(count * Type.Size()));

    private byte* Address(long offset)
    {
        ObjectDisposedException.ThrowIf(Tensor.IsInvalid, this);
        return _address + offset * Type.Size();
    }
}
