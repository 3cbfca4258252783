using FedKSeed.Checkpoints;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Tests;

namespace FedKSeed.Versions.Tests;

public sealed class ReplayedVersionTests : IDisposable
{
    private readonly SampleLog _sample = new();

    [Theory]
    [InlineData(null, 3)]
    [InlineData(0, 0)]
    [InlineData(2, 2)]
    public void A_version_is_read_from_the_log_and_the_kept_one_is_the_default(int? wanted, int version)
    {
        var replayed = ReplayedVersion.Read(_sample.Log, wanted);

        Assert.Equal((version, _sample.Settings.Directions), (replayed.Version, replayed.Settings.Directions));
        Assert.Equal(Accumulators.Digest(_sample.Versions[version].Span), replayed.Digest);
    }

    [Fact]
    public void A_version_that_never_was_is_refused_with_those_that_were() =>
        Assert.Contains(
            "versions 0 to 3", Assert.Throws<VersionException>(() => ReplayedVersion.Read(_sample.Log, 4)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void An_empty_log_is_named()
    {
        File.WriteAllText(_sample.Log, "");

        Assert.Contains(
            "holds no entry", Assert.Throws<VersionException>(() => ReplayedVersion.Read(_sample.Log, null)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Another_base_model_is_refused()
    {
        var path = Path.Combine(_sample.Base, Checkpoint.SingleFile);
        var bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);
        using var other = Checkpoint.Open(_sample.Base);

        var fault = Assert.Throws<VersionException>(
            () => ReplayedVersion.Read(_sample.Log, null).RequireBase(other, TestContext.Current.CancellationToken));

        Assert.Contains("is not the base model of this log", fault.Message, StringComparison.Ordinal);
    }

    public void Dispose() => _sample.Dispose();
}
