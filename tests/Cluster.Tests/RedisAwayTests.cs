using System.Diagnostics;
using FedKSeed.EndToEnd.Tests;
using FedKSeed.Federation;
using FedKSeed.LocalServers;
using FedKSeed.LogStore;
using FedKSeed.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace FedKSeed.Cluster.Tests;

/// <summary>Services whose Redis does not let them in, is not there yet, or goes away.</summary>
public sealed class RedisAwayTests(Servers servers) : IAsyncLifetime
{
    private const string SeedService = "FedKSeed.SeedService", RoundService = "FedKSeed.RoundService", Password = "r1ght";

    private static readonly TimeSpan Seconds = TimeSpan.FromSeconds(12);

    private readonly TemporaryFolder _folder = new();
    private RedisServer _redis = null!;

    public async ValueTask InitializeAsync() => _redis = await RedisServer.StartAsync(
        Path.Combine(_folder.Path, "redis"), Path.Combine(_folder.Path, "logs"));

    [Theory]
    [InlineData(SeedService, ",password=wr0ng", "does not let user 'default' in: its name or its password is wrong")]
    [InlineData(SeedService, "", "asks for a password, and there is none: add password=")]
    [InlineData(SeedService, ",user=nobody,password=wr0ng", "does not let user 'nobody' in: its name or its password is wrong")]
    [InlineData(SeedService, ",user=reader,password=" + Password, "does not let user 'reader' do what is needed: NOPERM")]
    [InlineData(RoundService, ",password=wr0ng", "does not let user 'default' in: its name or its password is wrong")]
    public async Task A_Redis_that_does_not_let_a_service_in_ends_it_in_one_line_without_the_password(
        string program, string login, string reason)
    {
        await ProtectAsync();

        var (exitCode, output, said) = await SettingsTests.RunAsync(program, Settings(_redis.Connection + login));

        Assert.Equal(2, exitCode);
        Assert.Contains(
            $"Redis:Connection: the Redis at {_redis.Connection} {reason}", Assert.Single(said.TrimEnd().Split('\n')),
            StringComparison.Ordinal);
        Assert.DoesNotContain("wr0ng", said + output, StringComparison.Ordinal);
        Assert.DoesNotContain(Password, said + output, StringComparison.Ordinal);
        SettingsTests.AssertLines(program, output, said);
    }

    [Fact]
    public async Task A_Redis_that_is_not_there_yet_is_waited_for()
    {
        var port = InstalledProgram.FreePorts(1)[0];
        await using var service = Start(SeedService, $"127.0.0.1:{port}");
        await Task.Delay(Seconds, TestContext.Current.CancellationToken);
        Assert.False(service.Ended.IsCompleted, service.LastLines());

        await using var late = await RedisServer.StartAsync(
            Path.Combine(_folder.Path, "late"), Path.Combine(_folder.Path, "logs"), port, TestContext.Current.CancellationToken);

        await service.UntilAsync(
            _ => Task.FromResult(service.LastLines(100).Contains("Application started", StringComparison.Ordinal)),
            TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(SeedService)]
    [InlineData(RoundService)]
    public async Task A_service_that_is_told_to_end_while_it_waits_for_its_Redis_ends_in_order(string program)
    {
        await using var service = Start(program, $"127.0.0.1:{InstalledProgram.FreePorts(1)[0]}");
        await service.UntilAsync(
            _ => Task.FromResult(service.LastLines(100).Contains("Redis", StringComparison.Ordinal)),
            TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        await AssertEndsInOrderAsync(service);
    }

    [Theory]
    [InlineData(SeedService, "Bus started", false)]
    [InlineData(RoundService, "has the clock", true)]
    public async Task A_service_that_is_told_to_end_while_its_Redis_is_away_ends_in_order(string program, string begun, bool isHung)
    {
        await OpenAsync();
        await using var service = Start(program, _redis.Connection);
        await service.UntilAsync(
            _ => Task.FromResult(service.LastLines(100).Contains(begun, StringComparison.Ordinal)),
            TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        if (isHung)
            _redis.Process.Suspend();
        else
            _redis.Process.Kill();
        await Task.Delay(2000, TestContext.Current.CancellationToken);

        await AssertEndsInOrderAsync(service);
    }

    [Theory]
    [InlineData("run", ",password=wr0ng", "does not let user 'default' in: its name or its password is wrong")]
    [InlineData("run", "", "asks for a password, and there is none")]
    [InlineData("cluster", ",password=wr0ng", "does not let user 'default' in: its name or its password is wrong")]
    public async Task A_Redis_that_does_not_let_a_run_in_is_named_before_anything_is_scored(string verb, string login, string reason)
    {
        await ProtectAsync();

        var (exitCode, said) = await Fedkseed.RunAsync(
            verb, "--redis", _redis.Connection + login, "--output", Path.Combine(_folder.Path, "run"));

        Assert.Equal(2, exitCode);
        Assert.StartsWith($"fedkseed: --redis: the Redis at {_redis.Connection} {reason}", said, StringComparison.Ordinal);
        Assert.DoesNotContain("wr0ng", said, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_doctor_tells_a_Redis_that_refuses_from_one_that_is_not_there()
    {
        await ProtectAsync();

        var (_, refused) = await Fedkseed.RunAsync("doctor", "--redis", $"{_redis.Connection},password=wr0ng");
        var (_, absent) = await Fedkseed.RunAsync("doctor", "--redis", $"127.0.0.1:{InstalledProgram.FreePorts(1)[0]},password=wr0ng");

        Assert.Contains("does not let user 'default' in: its name or its password is wrong", refused, StringComparison.Ordinal);
        Assert.Contains("nobody answers on 127.0.0.1:", absent, StringComparison.Ordinal);
        Assert.DoesNotContain("wr0ng", refused + absent, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("run", "INT", 130, false)]
    [InlineData("cluster", "TERM", 143, true)]
    public async Task One_signal_while_Redis_is_away_ends_a_federation_in_seconds(string verb, string signal, int code, bool isHung)
    {
        using var run = Fedkseed.Start(
            verb, "--redis", _redis.Connection, "--output", Path.Combine(_folder.Path, "run"), "--rounds", "500");
        await run.UntilAsync("round 1/");
        if (isHung)
            _redis.Process.Suspend();
        else
            _redis.Process.Kill();
        await Task.Delay(2000, TestContext.Current.CancellationToken);

        var asked = Stopwatch.GetTimestamp();
        run.Signal(signal);
        Assert.Equal(code, await run.EndAsync());

        Assert.True(Stopwatch.GetElapsedTime(asked) < 2 * Seconds, $"{Stopwatch.GetElapsedTime(asked)}: {run.Said}");
        Assert.Contains($"fedkseed: stopped. Continue with: fedkseed {verb} --resume ", run.Said, StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", run.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_run_whose_Redis_goes_for_good_ends_with_where_it_was_and_how_to_go_on()
    {
        using var run = Fedkseed.Start(
            "run", "--redis", _redis.Connection, "--output", Path.Combine(_folder.Path, "run"), "--rounds", "500");
        await run.UntilAsync("round 1/");
        _redis.Process.Kill();

        Assert.Equal(1, await run.EndAsync());
        Assert.Contains(
            $"fedkseed: the Redis at {_redis.Connection} does not answer any more. Continue with: fedkseed run --resume ", run.Said,
            StringComparison.Ordinal);
        Assert.DoesNotContain("Exception", run.Said, StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        _redis.Process.Kill();
        await _redis.DisposeAsync();
        _folder.Dispose();
    }

    private static async Task AssertEndsInOrderAsync(ChildProcess service)
    {
        var asked = Stopwatch.GetTimestamp();
        service.Terminate();
        await service.Ended.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        var said = await File.ReadAllTextAsync(service.LogFile, TestContext.Current.CancellationToken);
        Assert.Equal(0, service.ExitCode);
        Assert.True(Stopwatch.GetElapsedTime(asked) < Seconds, $"{Stopwatch.GetElapsedTime(asked)}: {said}");
        Assert.False(said.Contains("Exception", StringComparison.Ordinal), said);
    }

    /// <summary>A password for everybody, and a user who may look and do nothing.</summary>
    private async Task ProtectAsync()
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(_redis.Connection);
        await redis.GetDatabase().ExecuteAsync("ACL", "SETUSER", "reader", "on", ">" + Password, "+@connection");
        await redis.GetDatabase().ExecuteAsync("CONFIG", "SET", "requirepass", Password);
    }

    /// <summary>A federation, so that there is something to have the clock of.</summary>
    private async Task OpenAsync()
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(_redis.Connection);
        using var registry = new FederationRegistry(redis, TimeProvider.System);
        var books = new FederationBooks(redis, registry, TimeProvider.System, NullLogger<FederationBook>.Instance);
        await books.OpenAsync(
            new FederationSettings { BaseModelDigest = new string('a', 64) }, actor: null, TestContext.Current.CancellationToken);
    }

    private string[] Settings(string redis) =>
    [
        "--Bus:Transport=RabbitMq", $"--Bus:Broker={servers.Of(_folder.Path).Broker}", $"--Redis:Connection={redis}",
    ];

    private ChildProcess Start(string program, string redis) => ServiceProcess.Start(
        program, Path.Combine(_folder.Path, "logs"), program,
        Settings(redis).Select(setting => setting[2..].Split('=', 2))
            .Select(pair => KeyValuePair.Create(pair[0], (string?)pair[1])),
        new Uri($"http://127.0.0.1:{InstalledProgram.FreePorts(1)[0]}/"));
}
