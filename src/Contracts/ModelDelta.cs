namespace FedKSeed.Contracts;

/// <summary>
/// A version as what changed since another one whose unit of q is the same: some hundred bytes where the whole is ten thousand. Seeds are
/// strictly ascending, so each is said by the unchanged ones before it.
/// </summary>
public sealed record ModelDelta
{
    private const int MostGapBits = 16, MostChangeBits = 32;

    /// <summary>The version that it starts from.</summary>
    public required int Since { get; init; }

    /// <summary>Number of accumulators that differ.</summary>
    public required int Changed { get; init; }

    public required int GapBits { get; init; }

    /// <summary>
    /// Unchanged seeds between a changed one and the one before it, or the beginning, packed by <see cref="PackedIntegers.PackUnsigned"/>.
    /// </summary>
    public required byte[] Gaps { get; init; }

    public required int ChangeBits { get; init; }

    /// <summary>New q less old q of each changed seed, packed by <see cref="PackedIntegers.PackSigned"/>.</summary>
    public required byte[] Changes { get; init; }

    /// <summary>What leads from one version to another; null where only the whole does.</summary>
    public static ModelDelta? Between(ModelVersion from, ModelVersion to)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        if (from.Shift != to.Shift || from.BaseModelDigest != to.BaseModelDigest || from.Directions != to.Directions)
            return null;
        var (before, after) = (from.Values(), to.Values());
        var (gaps, changes) = (new List<ushort>(), new List<int>());
        for (int seed = 0, next = 0; seed < after.Length; seed++)
        {
            if (after[seed] == before[seed])
                continue;
            gaps.Add((ushort)(seed - next));
            changes.Add(after[seed] - before[seed]);
            next = seed + 1;
        }
        var gapBits = gaps.Count == 0 ? 1 : PackedIntegers.BitsForIndexBelow(gaps.Max() + 1);
        var changeBits = changes.Count == 0 ? 1 : changes.Max(change => 33 - int.LeadingZeroCount(change < 0 ? ~change : change));
        var delta = new ModelDelta
        {
            Since = from.Version,
            Changed = gaps.Count,
            GapBits = gapBits,
            Gaps = PackedIntegers.PackUnsigned(gaps.ToArray(), gapBits),
            ChangeBits = changeBits,
            Changes = PackedIntegers.PackSigned(changes.ToArray(), changeBits),
        };
        return delta.Gaps.Length + delta.Changes.Length < to.Quantised.Length ? delta : null;
    }

    /// <summary>The version that this leads to.</summary>
    /// <param name="start">Version <see cref="Since"/>.</param>
    /// <param name="version">Number of the one that it leads to.</param>
    /// <exception cref="FormatException">It leads nowhere from there.</exception>
    public ModelVersion Apply(ModelVersion start, int version)
    {
        ArgumentNullException.ThrowIfNull(start);
        var values = start.Values();
        if (start.Version != Since || Changed < 0 || Changed > values.Length || GapBits is < 1 or > MostGapBits
            || ChangeBits is < 1 or > MostChangeBits)
            throw new FormatException($"{Changed} changes of {GapBits} and {ChangeBits} bits since version {Since} are no delta");
        var gaps = PackedIntegers.UnpackUnsigned(Gaps, Changed, GapBits);
        var changes = PackedIntegers.UnpackSigned(Changes, Changed, ChangeBits);
        var limit = QuantisedAccumulators.Limit(values.Length, start.Directions.LargestRank);
        for (int k = 0, seed = -1; k < Changed; k++)
        {
            seed += gaps[k] + 1;
            if (seed >= values.Length)
                throw new FormatException($"a delta changes seed {seed} of {values.Length}");
            var value = (long)values[seed] + changes[k];
            if (value > limit || value < -limit)
                throw new FormatException($"a delta makes an accumulator of {value}, beyond ±{limit}");
            values[seed] = (int)value;
        }
        return start with { Version = version, Quantised = PackedIntegers.PackSigned(values, start.QuantisedBits) };
    }
}
