using FedKSeed.Contracts;

namespace FedKSeed.ClientWorker.Tests;

public class HeldVersionsTests
{
    private const int Seeds = 64;

    private readonly HeldVersions _held = new();

    [Fact]
    public void A_delta_since_a_version_that_is_held_gives_the_version_that_the_digest_names()
    {
        var (one, two) = (Version(1, 1000), Version(2, 1003));
        Assert.Equal(one, _held.Of(Whole(one)));
        Assert.Equal(two, _held.Of(Delta(one, two)));
        Assert.Equal(Version(3, 990), _held.Of(Delta(two, Version(3, 990))));
    }

    [Fact]
    public void A_delta_since_a_version_that_is_not_held_gives_none() =>
        Assert.Null(_held.Of(Delta(Version(1, 1000), Version(2, 1003))));

    [Fact]
    public void A_delta_since_another_version_of_that_number_gives_none_until_the_whole_comes()
    {
        _held.Of(Whole(Version(1, 500)));
        var (one, two) = (Version(1, 1000), Version(2, 1003));
        Assert.Null(_held.Of(Delta(one, two)));
        Assert.Equal(two, _held.Of(Whole(two)));
        Assert.Equal(Version(3, 990), _held.Of(Delta(two, Version(3, 990))));
    }

    [Fact]
    public void A_whole_version_of_another_digest_is_refused_and_not_held()
    {
        var (one, two) = (Version(1, 1000), Version(2, 1003));
        Assert.Throws<FormatException>(() => _held.Of(Whole(one) with { VersionDigest = two.Digest() }));
        Assert.Null(_held.Of(Delta(one, two)));
    }

    [Fact]
    public void Sixteen_versions_are_held_and_the_oldest_goes_first()
    {
        for (var version = 1; version <= 17; version++)
            _held.Of(Whole(Version(version, 1000 + version)));
        Assert.Null(_held.Of(Delta(Version(1, 1001), Version(18, 1020))));
        Assert.NotNull(_held.Of(Delta(Version(2, 1002), Version(18, 1020))));
    }

    private static ModelVersion Version(int version, long of)
    {
        var accumulators = new long[Seeds];
        for (var seed = 0; seed < Seeds; seed += 3)
            accumulators[seed] = of * (seed + 1);
        return ModelVersion.Of(version, new string('a', 64), new DirectionSpace { SeedCount = Seeds }, accumulators);
    }

    private static SeedsAssigned Delta(ModelVersion from, ModelVersion to) =>
        Whole(to) with { Model = null, Delta = ModelDelta.Between(from, to)! };

    private static SeedsAssigned Whole(ModelVersion version) => new()
    {
        Federation = "test",
        Assignment = new AssignmentKey(1, "a"),
        Version = version.Version,
        VersionDigest = version.Digest(),
        Model = version,
        Steps = 1,
        Seeds = [0],
        BatchSize = 1,
        LearningRate = 1e-3,
        Epsilon = 1e-3f,
        MaximumScalar = 1e4,
    };
}
