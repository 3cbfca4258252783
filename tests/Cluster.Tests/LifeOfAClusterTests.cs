using System.Diagnostics;
using System.Net.NetworkInformation;
using System.Text.Json;
using FedKSeed.EndToEnd.Tests;
using RabbitMQ.Client;

namespace FedKSeed.Cluster.Tests;

public sealed class LifeOfAClusterTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>One cluster tells the whole story, since a broker takes seconds to start.</summary>
    [Fact]
    public async Task A_cluster_shows_its_state_ends_when_told_to_is_continued_ends_when_a_process_dies_and_leaves_nothing_when_killed()
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-life-").FullName;
        var output = Path.Combine(folder, "cluster");
        JsonElement status;
        using (var first = Fedkseed.Start(
            ["cluster", "--output", output, .. SmallData.Arguments(folder), "--rounds", "1000", "--evaluate-every", "0"]))
        {
            await first.UntilAsync("round 1/");
            await PutPoisonAsync(output, "fedkseed-service-scalars-reported");
            status = await Status(output, until: status => status.GetProperty("errorQueues").GetArrayLength() > 0);
            first.Terminate();

            Assert.Equal(128 + 15, await first.EndAsync());
            Assert.Contains($"fedkseed cluster --resume {output}", first.Said, StringComparison.Ordinal);
            AssertAllEnded(status);
        }

        Assert.Equal(3, status.GetProperty("federation").GetProperty("alive").GetArrayLength());
        Assert.Equal(
            ["evaluator", "round-service", "seed-service", "worker-1", "worker-2"],
            status.GetProperty("services").EnumerateArray().Select(service => service.GetProperty("name").GetString()!).Order());
        Assert.All(
            status.GetProperty("services").EnumerateArray(), service => Assert.Equal("Healthy", service.GetProperty("state").GetString()));
        Assert.Contains(
            status.GetProperty("queues").EnumerateArray(),
            queue => queue.GetProperty("name").GetString() == "fedkseed-service-scalars-reported"
                && queue.GetProperty("consumers").GetInt32() == 1);
        var errors = Assert.Single(status.GetProperty("errorQueues").EnumerateArray());
        Assert.Equal(
            ("fedkseed-service-scalars-reported_error", 1),
            (errors.GetProperty("name").GetString(), errors.GetProperty("messages").GetInt32()));

        var (reached, entries) = (
            status.GetProperty("federation").GetProperty("version").GetInt32(), File.ReadLines(Path.Combine(output, "events.log")).Count());
        using (var second = Fedkseed.Start("cluster", "--resume", output))
        {
            await second.UntilAsync("round ");
            status = await Status(output);
            Kill(status.GetProperty("services").EnumerateArray().Single(service => service.GetProperty("name").GetString() == "worker-2"));

            Assert.Equal(1, await second.EndAsync());
            Assert.Contains("worker-2 ended with exit code 137", second.Said, StringComparison.Ordinal);
            Assert.Contains(Path.Combine("logs", "worker-2.log"), second.Said, StringComparison.Ordinal);
            AssertAllEnded(status);
        }
        Assert.True(status.GetProperty("federation").GetProperty("version").GetInt32() > reached);
        Assert.True(File.ReadLines(Path.Combine(output, "events.log")).Count() > entries);
        using (var third = Fedkseed.Start("cluster", "--resume", output))
        {
            await third.UntilAsync("round ");
            var ports = Ports(output);
            Assert.All(ports, port => Assert.True(IsListening(port), $"nobody listens on {port}"));
            third.Kill();

            await UntilNobodyListensAsync(ports);
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task The_status_of_what_does_not_run_is_a_failure_that_says_so()
    {
        var (code, said) = await Fedkseed.RunAsync("cluster", "status", "--dir", Path.GetTempPath());

        Assert.Equal(1, code);
        Assert.Contains("no cluster runs in", said, StringComparison.Ordinal);
    }

    /// <summary>Once all of its processes answer: the first round may be over before the last one does.</summary>
    private static async Task<JsonElement> Status(string output, Func<JsonElement, bool>? until = null)
    {
        using var timeout = new CancellationTokenSource(Patience);
        while (true)
        {
            var (code, said) = await Fedkseed.RunAsync("cluster", "status", "--dir", output, "--json");
            if (code == 0 && JsonDocument.Parse(said.Split('\n').Single(line => line.StartsWith('{'))).RootElement is var status
                && until?.Invoke(status) != false)
                return status;
            Assert.False(timeout.IsCancellationRequested, said);
            await Task.Delay(200, CancellationToken.None);
        }
    }

    private static async Task PutPoisonAsync(string output, string queue)
    {
        var cluster = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(output, "cluster", "cluster.json"))).RootElement;
        var factory = new ConnectionFactory { Port = cluster.GetProperty("broker").GetProperty("port").GetInt32() };
        await using var connection = await factory.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        await channel.BasicPublishAsync("", queue, mandatory: true, new BasicProperties(), "not json"u8.ToArray());
    }

    private static void Kill(JsonElement service)
    {
        using var process = Process.GetProcessById(service.GetProperty("id").GetInt32());
        process.Kill();
    }

    /// <summary>Of the broker, of Redis, and of every service.</summary>
    private static int[] Ports(string output)
    {
        var cluster = JsonDocument.Parse(File.ReadAllText(Path.Combine(output, "cluster", "cluster.json"))).RootElement;
        return
        [
            cluster.GetProperty("broker").GetProperty("port").GetInt32(),
            new Uri($"tcp://{cluster.GetProperty("redis").GetString()}").Port,
            .. cluster.GetProperty("services").EnumerateArray().Select(service => new Uri(service.GetProperty("health").GetString()!).Port),
        ];
    }

    private static bool IsListening(int port) =>
        IPGlobalProperties.GetIPGlobalProperties().GetActiveTcpListeners().Any(listener => listener.Port == port);

    private static async Task UntilNobodyListensAsync(int[] ports)
    {
        using var timeout = new CancellationTokenSource(Patience);
        while (ports.Where(IsListening).ToArray() is { Length: > 0 } left)
        {
            Assert.False(timeout.IsCancellationRequested, $"Somebody still listens on {string.Join(", ", left)}.");
            await Task.Delay(100, CancellationToken.None);
        }
    }

    private static void AssertAllEnded(JsonElement status)
    {
        foreach (var service in status.GetProperty("services").EnumerateArray())
            Assert.ThrowsAny<ArgumentException>(() => Process.GetProcessById(service.GetProperty("id").GetInt32()));
    }
}
