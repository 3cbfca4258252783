using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using FedKSeed.Contracts;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels;
using FedKSeed.Training;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker.Tests;

public sealed class LocalTrainingTests : IDisposable
{
    private const int Steps = 12;

    internal static readonly string Samples = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../samples"));
    private static readonly DirectionSpace Directions = new() { PoolKey = 42, SeedCount = 64 };

    private readonly ServiceProvider _metrics = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly BaseModel _model;
    private readonly LocalClient _client;
    private readonly RebuiltVersions _versions;
    private readonly LocalTraining _training;

    public LocalTrainingTests()
    {
        var options = Options.Create(new WorkerOptions { ModelFolder = Path.Combine(Samples, "model"), Device = "cpu", Parallelism = 1 });
        _model = new BaseModel(options, new ConfigurationBuilder().Build());
        var examples = DataFile.Load(Path.Combine(Samples, "data", "client-1.jsonl")).Take(1).ToArray();
        _client = new LocalClient("client-1", _model.Encoder.Encode(examples).Sequences); // one example, so that every batch is the same
        var metrics = new WorkerMetrics(_metrics.GetRequiredService<IMeterFactory>());
        _versions = new RebuiltVersions(_model, metrics, TimeProvider.System);
        _training = new LocalTraining(_model, _versions, metrics, TimeProvider.System, options);
    }

    public void Dispose()
    {
        _training.Dispose();
        _versions.Dispose();
        _model.Dispose();
        _metrics.Dispose();
    }

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
        using ZerothOrderTrainer follower = new(_model.Model, Directions);
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

    private async Task<StepResult[]> RunAsync(double limit) =>
        await _training.RunAsync(Assignment(limit), Version, _client, TestContext.Current.CancellationToken).ToArrayAsync();

    private ModelVersion Version => ModelVersion.Of(0, _model.Digest, Directions, new long[Directions.SeedCount]);

    private SeedsAssigned Assignment(double limit) => new()
    {
        Federation = "test",
        Assignment = new AssignmentKey(Round: 1, _client.Name),
        Version = Version.Version,
        VersionDigest = Version.Digest(),
        Model = Version,
        Steps = Steps,
        Seeds = PackedIntegers.PackUnsigned(
            [.. Enumerable.Range(0, Steps).Select(seed => (ushort)seed)], PackedIntegers.BitsForIndexBelow(Directions.SeedCount)),
        BatchSize = 1,
        LearningRate = 1e-3,
        Epsilon = 1e-3f,
        MaximumScalar = limit,
    };

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
