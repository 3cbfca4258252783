namespace FedKSeed.Perturbation;

/// <summary>One tensor of an open <see cref="Checkpoint"/>. Readable from any thread until the checkpoint is disposed.</summary>
public sealed class CheckpointTensor
{
    private readonly SafetensorsFile _file;
    private readonly SafetensorsEntry _entry;

    internal CheckpointTensor(SafetensorsFile file, SafetensorsEntry entry, int? ordinal) => (_file, _entry, Ordinal) = (file, entry, ordinal);

    public string Name => _entry.Name;
    public TensorType Type => _entry.Type;
    public IReadOnlyList<long> Shape => _entry.Shape;
    public long ElementCount => _entry.ElementCount;
    public long ByteCount => _entry.End - _entry.Begin;

    /// <summary>The tensor's rank among those that are trained (SPEC 1); null if it is not: integers, and rotary <c>inv_freq</c>.</summary>
    public int? Ordinal { get; }

    /// <summary>Raw little-endian elements, as they lie in the file.</summary>
    /// <param name="firstByte">Offset in the tensor.</param>
    /// <param name="count">How many bytes: a tensor may hold more than one span can.</param>
    public ReadOnlySpan<byte> Bytes(long firstByte, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstByte);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstByte, ByteCount - count);
        return _file.Bytes(_entry.Begin + firstByte, count);
    }

    /// <summary>Reads a range of elements as float32, which is exact for F32, F16 and BF16.</summary>
    /// <param name="firstElement">Row-major flat index of the first.</param>
    /// <param name="target">Takes as many elements as it is long.</param>
    public void Read(long firstElement, Span<float> target) =>
        Type.Widen(Bytes(firstElement * Type.Size(), checked(target.Length * Type.Size())), target);

    /// <summary>All elements as float32.</summary>
    public float[] ToArray()
    {
        var values = new float[ElementCount];
        for (int done = 0; done < values.Length;)
        {
            int count = Math.Min(values.Length - done, 1 << 20);
            Read(done, values.AsSpan(done, count));
            done += count;
        }

        return values;
    }
}
