using FedKSeed.LocalServers;
using StackExchange.Redis;

namespace FedKSeed.Reliability;

/// <summary>What an operator would look at first when a federation stands still: told before its servers are ended.</summary>
internal static class StandingStill
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <returns>
    /// Queues with their messages and consumers, when each client was last heard of, and who has the clock; or why that cannot be told.
    /// </returns>
    public static async Task<string> DescribeAsync(FederationServers servers, string federation, TimeProvider time)
    {
        using var timeout = new CancellationTokenSource(Patience, time);
        var lines = new List<string>();
        await AddAsync(async () => (await RabbitMqServer.QueuesAsync(servers.Broker.Node, timeout.Token))
            .Select(queue => $"{queue.Name}: {queue.Messages} messages, {queue.Consumers} consumers"));
        await AddAsync(async () =>
        {
            await using var redis = await ConnectionMultiplexer.ConnectAsync(servers.Redis.Connection);
            var (database, now) = (redis.GetDatabase(), time.GetUtcNow().ToUnixTimeMilliseconds());
            var heard = await database.SortedSetRangeByRankWithScoresAsync($"fedkseed:{{{federation}}}:presence");
            var clock = await database.StringGetWithExpiryAsync($"fedkseed:{{{federation}}}:clock");
            return heard.Select(client => $"{client.Element}: heard of {(now - client.Score) / 1000:F1} s ago")
                .Append(
                    clock.Value.IsNull
                        ? "clock: nobody has it"
                        : $"clock: {clock.Value} has it for {clock.Expiry?.TotalSeconds:F1} s more");
        });
        return string.Join(Environment.NewLine, lines);

        async Task AddAsync(Func<Task<IEnumerable<string>>> look)
        {
            try
            {
                lines.AddRange(await look());
            }
            catch (Exception fault) when (fault is ChildProcessException or RedisException or TimeoutException
                or OperationCanceledException)
            {
                lines.Add(fault.Message);
            }
        }
    }
}
