using System.Runtime.InteropServices;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.Training;

namespace FedKSeed.ClientWorker.Tests;

public sealed class LocalTrainingTests : IDisposable
{
    private const int Steps = 12;

    private static readonly DirectionSpace Directions = new() { PoolKey = 42, SeedCount = 64 };

    private readonly Samples _samples = new(Samples.MembershipOf("test", "client-1"));
    private readonly Membership _membership;
    private readonly LocalClient _client;

    public LocalTrainingTests()
    {
        _membership = _samples.Memberships.Of("test");
        // One example, so that every batch is the same.
        _client = new LocalClient("client-1", [_membership.Client("client-1").Sequences[0]]);
    }

    public void Dispose() => _samples.Dispose();

    /// <summary>The limit lies in the middle of the scalars that the steps have, so that about half of them are skipped.</summary>
    [Fact]
    public async Task Every_reported_scalar_is_that_of_the_point_which_the_scalars_reported_before_lead_to()
    {
        var unlimited = await RunAsync(double.MaxValue);
        var limit = unlimited.Select(step => Math.Abs(step.Scalar!.Value)).Order().ElementAt(Steps / 2);
        var steps = await RunAsync(limit);
        AssignmentRun run = new(Assignment(limit), examples: 1);
        foreach (var step in steps)
            run.Add(step);
        var report = run.Report();

        List<float> scalars = [];
        List<int> skipped = [];
        TokenBatch batch = new([_client.Sequences[0]]);
        using ZerothOrderTrainer follower = new(_membership.Model.Base.Model, Directions);
        for (var seed = 0; seed < Steps; seed++)
        {
            var scalar = follower.Probe(batch, seed, Assignment(limit).Epsilon).Scalar;
            if (Math.Abs(scalar) > limit)
            {
                skipped.Add(seed);
                continue;
            }
            scalars.Add(scalar);
            follower.Move(seed, scalar, Assignment(limit).LearningRate);
        }
        Assert.InRange(skipped.Count, 2, Steps - 2);
        Assert.Equal(scalars, MemoryMarshal.Cast<byte, float>(report.Scalars).ToArray());
        Assert.Equal(skipped, report.SkippedSteps);
    }

    /// <summary>Each takes a copy of the weights, so they are bounded by what the process may do at once, not by its federations.</summary>
    [Fact]
    public async Task There_are_no_more_trainers_than_assignments_may_run_at_once_whichever_federations_they_are_of()
    {
        foreach (var pool in new ulong[] { 1, 2, 1 })
        {
            var version = ModelVersion.Of(
                0, _membership.Model.Base.Digest, Directions with { PoolKey = pool }, new long[Directions.SeedCount]);
            var assignment = Samples.Assignment("test", _client.Name, version, steps: 1, limit: double.MaxValue);
            var steps = _samples.Training.RunAsync(assignment, version, _membership, _client, TestContext.Current.CancellationToken);
            Assert.Equal(1, await steps.CountAsync(TestContext.Current.CancellationToken));
            Assert.Equal(1, _samples.Training.Trainers);
        }
    }

    private async Task<StepResult[]> RunAsync(double limit) => await _samples.Training
        .RunAsync(Assignment(limit), Version, _membership, _client, TestContext.Current.CancellationToken).ToArrayAsync();

    private ModelVersion Version => ModelVersion.Of(0, _membership.Model.Base.Digest, Directions, new long[Directions.SeedCount]);

    private SeedsAssigned Assignment(double limit) => Samples.Assignment("test", _client.Name, Version, Steps, limit);
}
