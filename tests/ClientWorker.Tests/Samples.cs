using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using FedKSeed.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker.Tests;

/// <summary>The sample's model and data, and what a worker of one assignment at a time makes of memberships in it.</summary>
internal sealed class Samples : IDisposable
{
    private readonly ServiceProvider _metrics = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public Samples(params MembershipOptions[] memberships)
    {
        var worker = Options.Create(new WorkerOptions { Device = "cpu", Parallelism = 1 });
        Metrics = new WorkerMetrics(_metrics.GetRequiredService<IMeterFactory>());
        Models = new BaseModels(worker, Options.Create(new TorchOptions()));
        Training = new LocalTraining(Metrics, TimeProvider.System, worker);
        Memberships = new Memberships(
            Options.Create<List<MembershipOptions>>([.. memberships]), worker, Models, Metrics, TimeProvider.System,
            NullLogger<Membership>.Instance);
    }

    public static string Model { get; } = Path.Combine(Folder(), "model");

    public WorkerMetrics Metrics { get; }

    public BaseModels Models { get; }

    public Memberships Memberships { get; }

    public LocalTraining Training { get; }

    public static string Data(string name) => Path.Combine(Folder(), "data", $"{name}.jsonl");

    public static MembershipOptions MembershipOf(string federation, params string[] clients) => new()
    {
        Federation = federation,
        ModelFolder = Model,
        Clients = [.. clients.Select(client => new ClientOptions { Name = client, Data = Data(client) })],
    };

    /// <summary>A first round's assignment of one example a step.</summary>
    public static SeedsAssigned Assignment(string federation, string client, ModelVersion version, int steps, double limit) => new()
    {
        Federation = federation,
        Assignment = new AssignmentKey(Round: 1, client),
        Version = version.Version,
        VersionDigest = version.Digest(),
        Model = version,
        Steps = steps,
        Seeds = PackedIntegers.PackUnsigned(
            [.. Enumerable.Range(0, steps).Select(seed => (ushort)seed)], PackedIntegers.BitsForIndexBelow(version.Directions.SeedCount)),
        BatchSize = 1,
        LearningRate = 1e-3,
        Epsilon = 1e-3f,
        MaximumScalar = limit,
    };

    public void Dispose()
    {
        Training.Dispose();
        Memberships.Dispose();
        Models.Dispose();
        _metrics.Dispose();
    }

    private static string Folder() => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../samples"));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
