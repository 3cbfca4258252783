using FedKSeed.Contracts;

namespace FedKSeed.ClientWorker.Tests;

public sealed class RebuiltVersionsTests : IDisposable
{
    private static readonly DirectionSpace Directions = new() { SeedCount = 64 };

    private readonly Samples _samples = new(Samples.MembershipOf("test", "client-1"));
    private readonly Membership _membership;
    private readonly RebuiltVersions _versions;

    public RebuiltVersionsTests()
    {
        _membership = _samples.Memberships.Of("test");
        _versions = new(_membership.Model, _samples.Metrics, TimeProvider.System);
    }

    public void Dispose()
    {
        _versions.Dispose();
        _samples.Dispose();
    }

    [Fact]
    public void Who_scores_the_version_that_clients_tune_reads_their_copy_of_it_and_another_one_does_not_displace_it()
    {
        var tuned = _versions.Hold(Version(2));
        var scored = _versions.Hold(Version(2), isForOnce: true);
        var older = _versions.Hold(Version(1), isForOnce: true);
        var next = _versions.Hold(Version(2));

        Assert.Same(tuned.Weights, scored.Weights);
        Assert.NotSame(tuned.Weights, older.Weights);
        Assert.Same(tuned.Weights, next.Weights);
        Array.ForEach([tuned, scored, older, next], held => held.LetGo());
    }

    [Fact]
    public void A_version_lives_until_its_last_reader_lets_go_of_it_and_not_beyond()
    {
        var first = _versions.Hold(Version(1));
        var again = _versions.Hold(Version(1));
        first.LetGo();
        var second = _versions.Hold(Version(2));
        Assert.False(again.Weights.Buffer.Tensor.IsInvalid);
        again.LetGo();
        Assert.True(again.Weights.Buffer.Tensor.IsInvalid);
        second.LetGo();
        Assert.False(second.Weights.Buffer.Tensor.IsInvalid);
    }

    private ModelVersion Version(int number) =>
        ModelVersion.Of(number, _membership.Model.Base.Digest, Directions, [number, .. new long[63]]);
}
