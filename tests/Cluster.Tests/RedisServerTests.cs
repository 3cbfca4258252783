using FedKSeed.LocalServers;
using FedKSeed.Tests;
using StackExchange.Redis;

namespace FedKSeed.Cluster.Tests;

/// <summary>The Redis of a cluster that was killed, while the cluster is continued.</summary>
public sealed class RedisServerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task A_second_one_in_a_folder_starts_when_the_first_has_ended_and_has_its_data()
    {
        var first = await StartAsync();
        await using (var connection = await ConnectionMultiplexer.ConnectAsync(first.Connection))
            await connection.GetDatabase().StringSetAsync("key", "value");
        // It does not end when it is told to, but a moment later.
        first.Process.Suspend();
        var second = StartAsync();
        Assert.NotSame(second, await Task.WhenAny(second, Task.Delay(2000, TestContext.Current.CancellationToken)));

        first.Process.Kill();
        await first.DisposeAsync();

        await using var next = await second;
        await using var again = await ConnectionMultiplexer.ConnectAsync(next.Connection);
        Assert.Equal("value", await again.GetDatabase().StringGetAsync("key"));
    }

    [Fact]
    public async Task One_that_stays_is_named_and_left_alone()
    {
        await using var first = await StartAsync();

        var fault = await Assert.ThrowsAsync<ChildProcessException>(StartAsync);

        Assert.Contains("Another Redis works in", fault.Message, StringComparison.Ordinal);
        await using var connection = await ConnectionMultiplexer.ConnectAsync(first.Connection);
        Assert.True(await connection.GetDatabase().StringSetAsync("key", "value"));
    }

    public void Dispose() => _folder.Dispose();

    private Task<RedisServer> StartAsync() => RedisServer.StartAsync(
        Path.Combine(_folder.Path, "redis"), Path.Combine(_folder.Path, "logs"), cancel: TestContext.Current.CancellationToken);
}
