using FedKSeed.Cli.Run;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using FedKSeed.Tests;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace FedKSeed.Cli.Tests;

/// <summary>events.log beside what an embedded store holds, after accidents to either.</summary>
public sealed class RunStoreTests : IDisposable
{
    private readonly SampleLog _sample = new();
    private readonly EmbeddedRedis _redis;
    private readonly string[] _lines;

    public RunStoreTests()
    {
        _redis = EmbeddedRedis.Start(Path.Combine(_sample.Folder, "store"));
        _lines = File.ReadAllLines(_sample.Log);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    public async Task A_store_that_lost_its_end_gets_it_back_from_the_file(int kept)
    {
        await StoreAsync(_lines[..kept]);

        await ReconcileAsync(isResumed: true);

        using var redis = await ConnectionMultiplexer.ConnectAsync(_redis.Connection);
        var log = new RedisFederationLog(redis, _sample.Settings.Name);
        Assert.Equal(_lines, await log.ReadAsync(0, Cancel).ToListAsync(Cancel));
        using var book = new FederationBook(log, TimeProvider.System, NullLogger<FederationBook>.Instance);
        Assert.Equal(_sample.Versions[^1].ToArray(), (await book.RefreshAsync(Cancel)).Accumulators.ToArray());
    }

    [Fact]
    public async Task A_file_that_is_behind_or_torn_is_left_to_the_recorder()
    {
        await StoreAsync(_lines);
        File.WriteAllText(_sample.Log, string.Concat(_lines[..4].Select(line => line + "\n")) + "{\"sequence\":");

        await ReconcileAsync(isResumed: true);

        Assert.Equal(_lines[..4], File.ReadAllLines(_sample.Log));
    }

    [Fact]
    public async Task Logs_that_differ_are_told_apart_by_the_first_line_that_does()
    {
        // The round's start, which names its clients.
        string[] other = [_lines[0], _lines[1].Replace("client-1", "client-9", StringComparison.Ordinal), .. _lines[2..]];
        await StoreAsync(other);

        var fault = await Assert.ThrowsAsync<FailureException>(() => ReconcileAsync(isResumed: true));

        Assert.Contains("differ from entry 1 (line 2) on", fault.Message, StringComparison.Ordinal);
        Assert.Contains("neither was touched", fault.Message, StringComparison.Ordinal);
        Assert.Equal(_lines, File.ReadAllLines(_sample.Log));
    }

    [Fact]
    public async Task A_store_is_not_refilled_from_a_file_that_is_not_sound()
    {
        await StoreAsync(_lines[..2]);
        File.WriteAllLines(
            _sample.Log, [.. _lines[..4], .. _lines[4..].Select(line => line.Replace("client-2", "client-3", StringComparison.Ordinal))]);

        var fault = await Assert.ThrowsAsync<FailureException>(() => ReconcileAsync(isResumed: true));

        Assert.Contains("is wrong", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_new_run_does_not_take_over_a_federation_of_the_same_name()
    {
        await StoreAsync(_lines);
        File.Delete(_sample.Log);

        var fault = await Assert.ThrowsAsync<FailureException>(() => ReconcileAsync(isResumed: false));

        Assert.Contains("choose another --name", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Other_settings_than_those_of_the_log_are_named()
    {
        var fault = await Assert.ThrowsAsync<FailureException>(
            () => ReconcileAsync(isResumed: true, _sample.Settings with { Rounds = 99 }));

        Assert.Contains("rounds", fault.Message, StringComparison.OrdinalIgnoreCase);
    }

    public void Dispose()
    {
        _redis.Dispose();
        _sample.Dispose();
    }

    private async Task StoreAsync(string[] lines)
    {
        using var redis = await ConnectionMultiplexer.ConnectAsync(_redis.Connection);
        if (lines.Length > 0)
            await redis.GetDatabase().ListRightPushAsync(
                $"fedkseed:{{{_sample.Settings.Name}}}:log", [.. lines.Select(line => (RedisValue)line)]);
    }

    private Task ReconcileAsync(bool isResumed, FederationSettings? settings = null) => RunStore.ReconcileAsync(
        new RunPlan { Federation = settings ?? _sample.Settings }, new RunFolder(_sample.Folder), isResumed, _redis.Connection, Cancel);
}
