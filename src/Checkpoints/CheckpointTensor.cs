namespace FedKSeed.Checkpoints;

/// <summary>One tensor of an open <see cref="Checkpoint"/>. Readable from any thread until the checkpoint is disposed.</summary>
public sealed class CheckpointTensor
{
    // Elements that are widened before their pages are let go.
    private const int MaxPiece = 1 << 20;

    private readonly ITensorBytes _file;
    private readonly SafetensorsEntry _entry;

    internal CheckpointTensor(ITensorBytes file, SafetensorsEntry entry, int? ordinal) =>
        (_file, _entry, Ordinal) = (file, entry, ordinal);

    public string Name => _entry.Name;
    public TensorType Type => _entry.Type;
    public IReadOnlyList<long> Shape => _entry.Shape;

    /// <summary>Of a matrix as it is stored; 0 for what is none.</summary>
    public long Columns => Shape.Count == 2 ? Shape[1] : 0;

    public long ElementCount => _entry.ElementCount;
    public long ByteCount => _entry.End - _entry.Begin;

    /// <summary>
    /// The tensor's rank among those that are trained (SPEC 1), an adapter's behind the base's; null if it is not: integers, and rotary
    /// <c>inv_freq</c>.
    /// </summary>
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
    public void Read(long firstElement, Span<float> target)
    {
        for (var done = 0; done < target.Length;)
        {
            var count = Math.Min(target.Length - done, MaxPiece);
            var firstByte = (firstElement + done) * Type.Size();
            Type.Widen(Bytes(firstByte, count * Type.Size()), target.Slice(done, count));
            Release(firstByte, count * Type.Size());
            done += count;
        }
    }

    /// <summary>Says that bytes will not be used again soon: they leave this process's memory, not the file.</summary>
    public void Release(long firstByte, long count) => _file.Release(_entry.Begin + firstByte, count);

    /// <summary>
    /// Says that bytes will be read soon, so that the disk works meanwhile. A range beyond the tensor's end is cut off there.
    /// </summary>
    public void Prefetch(long firstByte, long count)
    {
        if (firstByte < ByteCount)
            _file.Prefetch(_entry.Begin + firstByte, Math.Min(count, ByteCount - firstByte));
    }

    /// <summary>All elements as float32.</summary>
    public float[] ToArray()
    {
        var values = new float[ElementCount];
        Read(0, values);
        return values;
    }
}
