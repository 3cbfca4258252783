using CsCheck;
using FedKSeed.Contracts;

namespace FedKSeed.Federation.Tests;

public class ModelDeltaTests
{
    private static readonly Gen<(long[] From, long[] To)> Versions =
        from seeds in Gen.Int[1, 300]
        from before in Gen.Long[-400_000, 400_000].Array[seeds]
        from changes in Gen.Frequency((9, Gen.Const(0L)), (1, Gen.Long[-100_000, 100_000])).Array[seeds]
        select (before, before.Zip(changes, (value, change) => value + change).ToArray());

    [Fact]
    public void A_delta_leads_from_one_version_to_the_other() => Versions.Sample(versions =>
    {
        var (from, to) = (Version(3, versions.From), Version(4, versions.To));
        if (ModelDelta.Between(from, to) is { } delta)
            Assert.Equal(to, delta.Apply(from, 4));
        else
            Assert.True(from.Shift != to.Shift || !versions.From.AsSpan().SequenceEqual(versions.To));
    });

    [Fact]
    public void Between_versions_that_are_alike_there_is_nothing_to_say()
    {
        var delta = ModelDelta.Between(Version(1, [5, -7, 0]), Version(2, [5, -7, 0]))!;
        Assert.Equal((0, 0, 0), (delta.Changed, delta.Gaps.Length, delta.Changes.Length));
    }

    [Fact]
    public void There_is_none_where_the_unit_the_base_or_the_directions_differ()
    {
        var version = Version(1, [5, -7, 0]);
        Assert.Null(ModelDelta.Between(version, Version(2, [1L << 30, -7, 0])));
        Assert.Null(ModelDelta.Between(version, version with { BaseModelDigest = new string('b', 64) }));
        Assert.Null(ModelDelta.Between(version, version with { Directions = version.Directions with { PoolKey = 2 } }));
    }

    [Fact]
    public void What_is_no_delta_is_refused()
    {
        var version = Version(1, [5, -7, 0]);
        var sound = ModelDelta.Between(version, Version(2, [5, -7, 9]))!;
        ModelDelta[] hostile =
        [
            sound with { Since = 0 }, sound with { Changed = -1 }, sound with { Changed = 4 }, sound with { GapBits = 0 },
            sound with { ChangeBits = 33 }, sound with { Gaps = [] }, sound with { Changes = new byte[9] },
            sound with { GapBits = 8, Gaps = [200] },
            sound with { ChangeBits = 32, Changes = [0xff, 0xff, 0xff, 0x7f] },
        ];
        Assert.All(hostile, delta => Assert.Throws<FormatException>(() => delta.Apply(version, 2)));
    }

    [Fact]
    public void A_digest_is_of_everything_that_the_weights_follow_from()
    {
        var version = Version(1, [5, -7, 0]);
        ModelVersion[] others =
        [
            version with { Version = 2 }, version with { Shift = 1 }, Version(1, [5, -7, 1]),
            version with { BaseModelDigest = new string('b', 64) },
            version with { Directions = version.Directions with { PoolKey = 2 } },
            version with { Directions = version.Directions with { Scheme = DirectionSchemes.Gaussian } },
            version with { Directions = version.Directions with { Tensors = [new(0, 0, 0)] } },
            version with { Directions = version.Directions with { Tensors = [new(0, 1, 0)] } },
        ];
        Assert.Equal(others.Length + 1, others.Append(version).Select(one => Convert.ToHexString(one.Digest())).Distinct().Count());
        Assert.Equal(version.Digest(), Version(1, [5, -7, 0]).Digest());
    }

    private static ModelVersion Version(int version, long[] accumulators) => ModelVersion.Of(
        version, new string('a', 64), new DirectionSpace { SeedCount = accumulators.Length }, accumulators);
}
