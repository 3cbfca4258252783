using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>
/// Who was heard of lately, and which of several RoundServices has the clock; both lapse by themselves:
/// <code>
/// fedkseed:{name}:presence  zset    client → when it was last heard of, in milliseconds since 1970
/// fedkseed:{name}:clock     string  the instance that has the clock; expires unless that instance renews it
/// </code>
/// Not part of the book: losing it costs a heartbeat, or a lease. The lease only saves messages: what two clocks publish at once still
/// happens once. Safe to call from any thread.
/// </summary>
/// <param name="instance">This process among those that may have the clock.</param>
public sealed class RedisPresence(IConnectionMultiplexer redis, string federation, string instance, TimeProvider time)
{
    private readonly RedisKey _presence = PresenceKey(federation);
    private readonly RedisKey _clock = ClockKey(federation);

    internal static IEnumerable<RedisKey> KeysOf(string federation) => [PresenceKey(federation), ClockKey(federation)];

    private static RedisKey PresenceKey(string federation) => $"fedkseed:{{{federation}}}:presence";

    private static RedisKey ClockKey(string federation) => $"fedkseed:{{{federation}}}:clock";

    public Task HeardAsync(string client) => RedisOperation.RunAsync(() => redis.GetDatabase().SortedSetAddAsync(_presence, client, Now()));

    /// <summary>Clients that were heard of within a time, in ordinal order; forgets the others.</summary>
    public async Task<IReadOnlyList<string>> AliveAsync(TimeSpan within, CancellationToken cancel)
    {
        var database = redis.GetDatabase();
        var horizon = Now() - within.TotalMilliseconds;
        await RedisOperation.RunAsync(
            () => database.SortedSetRemoveRangeByScoreAsync(_presence, double.NegativeInfinity, horizon, Exclude.Stop), cancel);
        var clients = await RedisOperation.RunAsync(() => database.SortedSetRangeByRankAsync(_presence), cancel);
        return [.. clients.Select(client => client.ToString()).Order(StringComparer.Ordinal)];
    }

    /// <summary>Clients that were heard of since then.</summary>
    public async Task<IReadOnlyList<string>> HeardSinceAsync(DateTimeOffset then, CancellationToken cancel)
    {
        var clients = await RedisOperation.RunAsync(
            () => redis.GetDatabase().SortedSetRangeByScoreAsync(_presence, then.ToUnixTimeMilliseconds()), cancel);
        return [.. clients.Select(client => client.ToString())];
    }

    /// <summary>When each client that was heard of within a time was last heard of. Forgets none.</summary>
    public async Task<IReadOnlyDictionary<string, DateTimeOffset>> LastHeardAsync(TimeSpan within, CancellationToken cancel)
    {
        var horizon = Now() - within.TotalMilliseconds;
        var clients = await RedisOperation.RunAsync(
            () => redis.GetDatabase().SortedSetRangeByScoreWithScoresAsync(_presence, horizon), cancel);
        return clients.ToDictionary(
            client => client.Element.ToString(), client => DateTimeOffset.FromUnixTimeMilliseconds((long)client.Score),
            StringComparer.Ordinal);
    }

    /// <summary>Takes the clock, or keeps it. False while another instance has it.</summary>
    public async Task<bool> HoldClockAsync(TimeSpan lease, CancellationToken cancel)
    {
        var database = redis.GetDatabase();
        return await RedisOperation.RunAsync(() => database.LockExtendAsync(_clock, instance, lease), cancel)
            || await RedisOperation.RunAsync(() => database.LockTakeAsync(_clock, instance, lease), cancel);
    }

    /// <summary>Gives the clock back, so that another instance need not wait for the lease to lapse.</summary>
    public Task ReleaseClockAsync(CancellationToken cancel) =>
        RedisOperation.RunAsync(() => redis.GetDatabase().LockReleaseAsync(_clock, instance), cancel);

    private double Now() => time.GetUtcNow().ToUnixTimeMilliseconds();
}

/// <summary>Who was heard of lately in each federation of a store.</summary>
public sealed class RedisPresences(IConnectionMultiplexer redis, ClockInstances instances, TimeProvider time)
{
    public RedisPresence Of(string federation) => new(redis, federation, instances.Own, time);
}
