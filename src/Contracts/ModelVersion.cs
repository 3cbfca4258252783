using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace FedKSeed.Contracts;

/// <summary>
/// A version of a federation's model: with the base checkpoint, all that it takes to rebuild every weight. On the wire 10 240 bytes of
/// <see cref="Quantised"/> at K = 4096.
/// </summary>
public sealed record ModelVersion
{
    /// <summary>Number of commits.</summary>
    public required int Version { get; init; }

    /// <summary>SHA-256 of the base checkpoint's tensors; a worker with another one refuses.</summary>
    public required string BaseModelDigest { get; init; }

    public required DirectionSpace Directions { get; init; }

    /// <summary>s: the unit of q is 2^(s−40).</summary>
    public required int Shift { get; init; }

    /// <summary>Bits of one q: 20 at K = 4096.</summary>
    public required int QuantisedBits { get; init; }

    /// <summary>q[K], packed by <see cref="PackedIntegers.PackSigned"/>.</summary>
    public required byte[] Quantised { get; init; }

    /// <summary>A version out of its accumulators a[K].</summary>
    public static ModelVersion Of(int version, string baseModelDigest, DirectionSpace directions, ReadOnlySpan<long> accumulators)
    {
        ArgumentNullException.ThrowIfNull(directions);
        var quantised = QuantisedAccumulators.Of(accumulators, directions.LargestRank);
        var bits = QuantisedAccumulators.BitsPerValue(directions.SeedCount, directions.LargestRank);
        return new ModelVersion
        {
            Version = version,
            BaseModelDigest = baseModelDigest,
            Directions = directions,
            Shift = quantised.Shift,
            QuantisedBits = bits,
            Quantised = PackedIntegers.PackSigned(quantised.Values.Span, bits),
        };
    }

    /// <summary>q[K].</summary>
    /// <exception cref="FormatException">The packed bytes are not K values.</exception>
    public int[] Values()
    {
        var bits = QuantisedAccumulators.BitsPerValue(Directions.SeedCount, Directions.LargestRank);
        return QuantisedBits == bits
            ? PackedIntegers.UnpackSigned(Quantised, Directions.SeedCount, bits)
            : throw new FormatException($"{Directions.SeedCount} quantised accumulators have {bits} bits each, not {QuantisedBits}.");
    }

    /// <summary>
    /// SHA-256 over all that the weights follow from, as text and numbers (docs/PROTOCOL.md): what a version must come to however it
    /// travelled.
    /// </summary>
    /// <exception cref="FormatException">The packed bytes are not K values.</exception>
    public byte[] Digest()
    {
        var text = new StringBuilder("fedkseed/version/1:").Append(CultureInfo.InvariantCulture,
            $"{BaseModelDigest}:{Directions.Scheme}:{Directions.PoolKey}:{Directions.SeedCount}:");
        if (Directions.Tensors is { } tensors)
            text.AppendJoin(',', tensors.Select(
                tensor => string.Create(CultureInfo.InvariantCulture, $"{tensor.Ordinal}/{tensor.Scale}/{tensor.Rank}")));
        if (Directions.Adapter is { } adapter)
            text.Append(CultureInfo.InvariantCulture, $":{adapter.Kind}/{adapter.Digest}/{adapter.Alpha:R}");
        text.Append(CultureInfo.InvariantCulture, $":{Version}:{Shift}:");
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(text.ToString()));
        Span<byte> number = stackalloc byte[sizeof(int)];
        foreach (var value in Values())
        {
            BinaryPrimitives.WriteInt32LittleEndian(number, value);
            hash.AppendData(number);
        }
        return hash.GetHashAndReset();
    }

    /// <summary>Whether both are the same weights: equal in content, whatever object holds it.</summary>
    public bool Equals(ModelVersion? other) =>
        other is not null && Version == other.Version && BaseModelDigest == other.BaseModelDigest && Directions == other.Directions
            && Shift == other.Shift && QuantisedBits == other.QuantisedBits && Quantised.AsSpan().SequenceEqual(other.Quantised);

    public override int GetHashCode() => HashCode.Combine(Version, BaseModelDigest, Directions, Shift);
}
