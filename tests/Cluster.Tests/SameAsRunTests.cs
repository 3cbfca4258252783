using System.Text.Json;
using FedKSeed.EndToEnd.Tests;

namespace FedKSeed.Cluster.Tests;

/// <summary>One federation, run twice: in one process, and as processes on RabbitMQ and Redis.</summary>
public sealed class SameFederation : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-same-").FullName;

    public string OneProcess => Path.Combine(_folder, "run");

    public string Cluster => Path.Combine(_folder, "cluster");

    public async ValueTask InitializeAsync()
    {
        string[] settings = [.. SmallData.Arguments(
            _folder), "--rounds", "3", "--evaluate-every", "2", "--sampling", "importance", "--synchronous"];
        foreach (var (verb, output) in new[] { ("run", OneProcess), ("cluster", Cluster) })
        {
            var (code, said) = await Fedkseed.RunAsync([verb, "--output", output, .. settings]);
            Assert.True(code == 0, said);
        }
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }
}

public sealed class SameAsRunTests(SameFederation federation) : IClassFixture<SameFederation>
{
    [Fact]
    public void A_synchronous_cluster_writes_the_same_log_as_one_process_but_for_times() =>
        Assert.Equal(Events(federation.OneProcess), Events(federation.Cluster));

    [Fact]
    public void And_ends_with_the_same_model_bytes() => Assert.Equal(Weights(federation.OneProcess), Weights(federation.Cluster));

    [Fact]
    public void It_leaves_the_same_folder_behind_and_the_log_of_every_process()
    {
        foreach (var file in new[] {
            "events.log", "metrics.csv", "report.html", "federation.json", "model/model.safetensors", "model/config.json",
            "model/tokenizer.json" })
            Assert.True(new FileInfo(Path.Combine(federation.Cluster, file)) is { Exists: true, Length: > 0 }, file);
        Assert.Equal(
            ["epmd", "evaluator", "rabbitmq", "redis", "round-service", "seed-service", "worker-1", "worker-2"],
            Directory.EnumerateFiles(Path.Combine(federation.Cluster, "logs")).Select(Path.GetFileNameWithoutExtension).Order());
    }

    /// <summary>Bytes are measured in messages, training losses in progress: both come over the bus.</summary>
    [Fact]
    public void Its_metrics_have_the_same_training_losses_and_bytes()
    {
        string[][] Rows(string folder) => [.. File.ReadLines(Path.Combine(folder, "metrics.csv")).Select(line => line.Split(',')[1..10])];
        var (one, many) = (Rows(federation.OneProcess), Rows(federation.Cluster));

        Assert.Equal(one.Select(row => string.Join(',', row[..7])), many.Select(row => string.Join(',', row[..7])));
        foreach (var (here, there) in one.Zip(many).Skip(1))
            Assert.InRange(
                long.Parse(there[7]) + long.Parse(there[8]), 0.95 * (long.Parse(here[7]) + long.Parse(here[8])),
                1.05 * (long.Parse(here[7]) + long.Parse(here[8])));
    }

    private static IEnumerable<string> Events(string folder) => File.ReadLines(Path.Combine(folder, "events.log"))
        .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("event").GetRawText());

    private static byte[] Weights(string folder) => File.ReadAllBytes(Path.Combine(folder, "model", "model.safetensors"));
}
