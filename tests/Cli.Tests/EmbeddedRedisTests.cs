using FedKSeed.Cli.Run;
using StackExchange.Redis;

namespace FedKSeed.Cli.Tests;

public sealed class EmbeddedRedisTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "fedkseed-tests", Path.GetRandomFileName());

    [Fact]
    public async Task What_was_written_is_there_after_a_restart()
    {
        string[] lines = [.. Enumerable.Range(0, 500).Select(k => $"entry {k} {new string('x', 500)}")];
        using (var first = EmbeddedRedis.Start(_folder))
        {
            using var redis = await ConnectionMultiplexer.ConnectAsync(first.Connection);
            var transaction = redis.GetDatabase().CreateTransaction();
            transaction.AddCondition(Condition.ListLengthEqual("log", 0));
            _ = transaction.ListRightPushAsync("log", [.. lines.Select(line => (RedisValue)line)]);
            _ = transaction.HashSetAsync("hash", "field", "value");
            _ = transaction.SortedSetAddAsync("zset", [new SortedSetEntry(7, 0.5)]);
            Assert.True(await transaction.ExecuteAsync());
        }

        using var second = EmbeddedRedis.Start(_folder);
        using var again = await ConnectionMultiplexer.ConnectAsync(second.Connection);
        Assert.Equal(lines, (await again.GetDatabase().ListRangeAsync("log")).Select(line => line.ToString()));
        Assert.Equal("value", await again.GetDatabase().HashGetAsync("hash", "field"));
        Assert.Equal(0.5, await again.GetDatabase().SortedSetScoreAsync("zset", 7));
    }

    [Fact]
    public void A_port_in_use_is_named()
    {
        using var first = EmbeddedRedis.Start(_folder);

        var fault = Assert.Throws<IOException>(() => EmbeddedRedis.Start(_folder + "-2", first.Port));

        Assert.Contains($"Port {first.Port}", fault.Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        foreach (var folder in new[] { _folder, _folder + "-2" })
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
    }
}
