namespace FedKSeed.Checkpoints;

/// <summary>Where the bytes of tensors lie: in a file, or in memory.</summary>
internal interface ITensorBytes
{
    ReadOnlySpan<byte> Bytes(long begin, int count);

    /// <summary>Says that bytes will not be used again soon.</summary>
    void Release(long begin, long count);

    /// <summary>Says that bytes will be used soon.</summary>
    void Prefetch(long begin, long count);
}

/// <summary>A tensor that no file holds.</summary>
internal sealed class TensorMemory(ReadOnlyMemory<byte> bytes) : ITensorBytes
{
    public ReadOnlySpan<byte> Bytes(long begin, int count) => bytes.Span.Slice(checked((int)begin), count);

    public void Release(long begin, long count)
    {
    }

    public void Prefetch(long begin, long count)
    {
    }
}
