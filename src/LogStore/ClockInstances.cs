using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>
/// The RoundServices of a store, and which of them should have the clock of which federation:
/// <code>
/// fedkseed:round-services  zset  instance → when it was last heard of, in milliseconds since 1970
/// </code>
/// Each federation goes to the living instance with the highest lot for it, so that one that comes or goes moves no others than its own.
/// What instances disagree about for a moment is settled by the lease of each clock (<see cref="RedisPresence"/>). Safe to call from any
/// thread.
/// </summary>
public sealed class ClockInstances(IConnectionMultiplexer redis, TimeProvider time)
{
    private static readonly RedisKey Key = "fedkseed:round-services";

    /// <summary>This one.</summary>
    public string Own { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Says that this one is alive, and tells who is.</summary>
    public async Task<IReadOnlyList<string>> HeardAsync(TimeSpan within, CancellationToken cancel)
    {
        var (database, now) = (redis.GetDatabase(), (double)time.GetUtcNow().ToUnixTimeMilliseconds());
        var horizon = now - within.TotalMilliseconds;
        await RedisOperation.RunAsync(() => database.SortedSetAddAsync(Key, Own, now), cancel);
        await RedisOperation.RunAsync(
            () => database.SortedSetRemoveRangeByScoreAsync(Key, double.NegativeInfinity, horizon, Exclude.Stop), cancel);
        var alive = await RedisOperation.RunAsync(() => database.SortedSetRangeByRankAsync(Key), cancel);
        return [.. alive.Select(instance => instance.ToString())];
    }

    /// <summary>The others need not wait until this one is not heard of any more.</summary>
    public Task LeaveAsync(CancellationToken cancel) =>
        RedisOperation.RunAsync(() => redis.GetDatabase().SortedSetRemoveAsync(Key, Own), cancel);

    /// <summary>The instance that should have the clock of a federation. Pure.</summary>
    public static string? Of(string federation, IEnumerable<string> instances) =>
        instances.MaxBy(instance => Lot(federation, instance), StringComparer.Ordinal);

    private static string Lot(string federation, string instance) =>
        Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"fedkseed/clock/1:{federation}:{instance}")));
}
