using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using FedKSeed.Cli.Doctor;
using FedKSeed.Cli.Run;
using FedKSeed.Perturbation.Cpu;

namespace FedKSeed.Cli.Tests;

public sealed class DoctorTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    // Nobody listens on port 1.
    private static readonly string[] Nobody = ["--broker", "amqp://127.0.0.1:1/", "--redis", "127.0.0.1:1"];

    [Fact]
    public async Task Everything_is_named_with_how_to_mend_it_and_only_what_a_run_needs_makes_it_fail()
    {
        var text = await CommandRun.Of(["doctor", .. Nobody]);
        var json = await CommandRun.Of(["doctor", .. Nobody, "--json"]);

        Assert.Equal((0, "", 0, ""), (text.ExitCode, text.Errors, json.ExitCode, json.Errors));
        Assert.Contains("Everything that fedkseed run needs is here.", text.Output, StringComparison.Ordinal);
        Assert.Contains("nobody answers on 127.0.0.1:1", text.Output, StringComparison.Ordinal);
        var findings = JsonDocument.Parse(json.Output).RootElement.EnumerateArray()
            .ToDictionary(finding => finding.GetProperty("name").GetString()!);
        foreach (var name in new[] {
            ".NET", "processor", "memory", "disk", "libtorch", "NVRTC", "rabbitmq-server", "broker", "redis-server", "Redis" })
        {
            Assert.Contains(name, findings.Keys);
            Assert.Contains(name, text.Output, StringComparison.Ordinal);
        }
        Assert.Equal("Missing", findings["broker"].GetProperty("state").GetString());
        Assert.All(findings.Values, finding =>
            Assert.Equal(finding.GetProperty("state").GetString() == "Ok", finding.GetProperty("mend").ValueKind == JsonValueKind.Null));
    }

    [Fact]
    public async Task A_run_needs_a_libtorch_that_loads()
    {
        var run = await CommandRun.Of(["doctor", .. Nobody, "--torch", "/nowhere"]);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("fedkseed run needs: libtorch.", run.Output, StringComparison.Ordinal);
        Assert.Contains("There is no folder '/nowhere'", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_broker_is_told_from_what_else_may_listen()
    {
        Assert.Equal(FindingState.Ok, (await Answered("\u0001")).State);
        Assert.Contains("does not speak AMQP", (await Answered("H")).Found, StringComparison.Ordinal);

        static async Task<Finding> Answered(string greeting)
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            var finding = ServerFindings.BrokerAsync(
                new Uri($"amqp://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/"), Patience, TestContext.Current.CancellationToken);
            using var client = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
            var header = new byte[8];
            await client.GetStream().ReadExactlyAsync(header, TestContext.Current.CancellationToken);
            Assert.Equal("AMQP\0\0\t\u0001"u8, header);
            await client.GetStream().WriteAsync(new[] { (byte)greeting[0] }, TestContext.Current.CancellationToken);
            return await finding;
        }
    }

    [Fact]
    public async Task A_Redis_that_may_lose_a_log_is_a_warning()
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-tests-").FullName;
        using (var redis = EmbeddedRedis.Start(folder))
        {
            var findings = await ServerFindings.RedisAsync(redis.Connection, Patience);
            Assert.Equal(FindingState.Ok, findings[0].State);
            Assert.True(findings.Count > 1);
        }
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public void Little_memory_and_a_processor_without_vectors_are_warnings()
    {
        Assert.Equal(FindingState.Warning, ComputingFindings.Memory(500_000_000).State);
        Assert.Equal(FindingState.Ok, ComputingFindings.Memory(5_000_000_000).State);
        Assert.Equal(FindingState.Warning, ComputingFindings.Kernels(KernelPath.Scalar).State);
        Assert.Contains("AVX-512", ComputingFindings.Kernels(KernelPath.Avx512).Found, StringComparison.Ordinal);
    }
}
