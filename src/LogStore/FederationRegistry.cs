using System.Collections.Immutable;
using System.Text.RegularExpressions;
using FedKSeed.Contracts;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>A federation of a store.</summary>
/// <param name="Since">When its name was taken: another one of the same name is another federation.</param>
/// <param name="IsClosed">Its log has its last entry: there is nothing more to decide.</param>
public sealed record RegisteredFederation(string Name, DateTimeOffset Since, bool IsClosed);

/// <summary>
/// Which federations there are in a store:
/// <code>
/// fedkseed:federations  zset  name → when it was taken, in milliseconds since 1970
/// fedkseed:closed       zset  name → when the federation took it whose log has its last entry: a later one of that name is open
/// </code>
/// No truth beside the logs: a name is taken before its log begins, and <see cref="RepairAsync"/> finds every log without a name and every
/// name without a log. Safe to call from any thread; what others changed is seen within <see cref="Age"/>, a name that is new at once.
/// </summary>
public sealed partial class FederationRegistry(IConnectionMultiplexer redis, TimeProvider time) : IServedFederations, IDisposable
{
    /// <summary>How old what is said of known names may be.</summary>
    private static readonly TimeSpan Age = TimeSpan.FromSeconds(1);

    /// <summary>Longer than it takes from taking a name to the first entry of its log.</summary>
    private static readonly TimeSpan NameWithoutLog = TimeSpan.FromMinutes(10);

    private static readonly RedisKey AllNames = "fedkseed:federations", ClosedNames = "fedkseed:closed";

    private readonly SemaphoreSlim _one = new(1);
    private int _changes;
    private volatile Reading _reading = new(ImmutableSortedDictionary<string, RegisteredFederation>.Empty, null);

    private IDatabase Database => redis.GetDatabase();

    /// <summary>All of them, by name.</summary>
    public async Task<IReadOnlyDictionary<string, RegisteredFederation>> AllAsync(CancellationToken cancel)
    {
        if (IsFresh)
            return _reading.ByName;
        await _one.WaitAsync(cancel);
        try
        {
            if (!IsFresh)
                await ReadAsync(cancel);
            return _reading.ByName;
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>The federation of a name; null when there is none. A name that was made up costs one read of Redis.</summary>
    public async Task<RegisteredFederation?> FindAsync(string name, CancellationToken cancel)
    {
        if (!Names.IsSound(name))
            return null;
        if ((await AllAsync(cancel)).GetValueOrDefault(name) is { } known)
            return known;
        if (await RedisOperation.RunAsync(() => Database.SortedSetScoreAsync(AllNames, name), cancel) is null)
            return null;
        await _one.WaitAsync(cancel);
        try
        {
            await ReadAsync(cancel);
        }
        finally
        {
            _one.Release();
        }
        return _reading.ByName.GetValueOrDefault(name);
    }

    async ValueTask<bool> IServedFederations.ServesAsync(string federation, CancellationToken cancel) =>
        await FindAsync(federation, cancel) is not null;

    /// <summary>Takes a name, unless it is taken.</summary>
    public async Task AddAsync(string name, CancellationToken cancel)
    {
        await RedisOperation.RunAsync(
            () => Database.SortedSetAddAsync(AllNames, name, time.GetUtcNow().ToUnixTimeMilliseconds(), SortedSetWhen.NotExists), cancel);
        Forget();
    }

    /// <summary>A federation's log has its last entry. Late, it says nothing of another one that has the name by then.</summary>
    public async Task CloseAsync(RegisteredFederation federation, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(federation);
        await RedisOperation.RunAsync(
            () => Database.SortedSetAddAsync(ClosedNames, federation.Name, federation.Since.ToUnixTimeMilliseconds()), cancel);
        Forget();
    }

    public async Task RemoveAsync(string name, CancellationToken cancel)
    {
        await RedisOperation.RunAsync(() => Database.SortedSetRemoveAsync(AllNames, name), cancel);
        await RedisOperation.RunAsync(() => Database.SortedSetRemoveAsync(ClosedNames, name), cancel);
        Forget();
    }

    /// <summary>
    /// Takes the names of logs that have none, as stores of earlier releases and restored backups have them; gives up names that never got
    /// a log; deletes what stands beside a log that is gone.
    /// </summary>
    /// <returns>What was done, a sentence each.</returns>
    public async Task<IReadOnlyList<string>> RepairAsync(CancellationToken cancel)
    {
        List<string> done = [];
        var byName = await KeysByNameAsync(cancel);
        Forget();
        var all = await AllAsync(cancel);
        foreach (var name in byName.Keys.Where(name => !all.ContainsKey(name) && byName[name].Contains(RedisFederationLog.LogKey(name))))
        {
            await AddAsync(name, cancel);
            done.Add($"the log of federation '{name}' had no name in the registry, and has it now");
        }
        foreach (var known in all.Values.Where(known => time.GetUtcNow() - known.Since > NameWithoutLog))
        {
            if (await RedisOperation.RunAsync(() => Database.KeyExistsAsync(RedisFederationLog.LogKey(known.Name)), cancel))
                continue;
            await RemoveAsync(known.Name, cancel);
            done.Add($"the name of federation '{known.Name}' is free: it never had a log, or has none any more");
        }
        foreach (var (name, keys) in byName.Where(found => !found.Value.Contains(RedisFederationLog.LogKey(found.Key))))
        {
            if (await FindAsync(name, cancel) is not null)
                continue;
            await RedisOperation.RunAsync(() => Database.KeyDeleteAsync([.. keys]), cancel);
            done.Add($"{keys.Count} keys were left of federation '{name}', which has no log, and are deleted");
        }
        return done;
    }

    public void Dispose() => _one.Dispose();

    /// <summary>Every key of every federation, whoever wrote it.</summary>
    private async Task<Dictionary<string, HashSet<RedisKey>>> KeysByNameAsync(CancellationToken cancel)
    {
        var byName = new Dictionary<string, HashSet<RedisKey>>(StringComparer.Ordinal);
        foreach (var server in redis.GetServers().Where(server => server is { IsConnected: true, IsReplica: false }))
            await foreach (var key in server.KeysAsync(pattern: "fedkseed:{*}:*").WithCancellation(cancel))
                if (KeyOfFederation().Match(key.ToString()) is { Success: true } match)
                {
                    var name = match.Groups["name"].Value;
                    if (!byName.TryGetValue(name, out var keys))
                        byName[name] = keys = [];
                    keys.Add(key);
                }
        return byName;
    }

    private bool IsFresh => _reading.At is { } at && time.GetElapsedTime(at) < Age;

    /// <summary>What was read is old, and so is what is being read just now.</summary>
    private void Forget()
    {
        Interlocked.Increment(ref _changes);
        _reading = _reading with { At = null };
    }

    private async Task ReadAsync(CancellationToken cancel)
    {
        var (at, changes) = (time.GetTimestamp(), Volatile.Read(ref _changes));
        var names = await RedisOperation.RunAsync(() => Database.SortedSetRangeByRankWithScoresAsync(AllNames), cancel);
        var closed = (await RedisOperation.RunAsync(() => Database.SortedSetRangeByRankWithScoresAsync(ClosedNames), cancel)).ToHashSet();
        _reading = new Reading(
            names.Select(item => new RegisteredFederation(
                    item.Element.ToString(), DateTimeOffset.FromUnixTimeMilliseconds((long)item.Score), closed.Contains(item)))
                .ToImmutableSortedDictionary(item => item.Name, item => item, StringComparer.Ordinal),
            changes == Volatile.Read(ref _changes) ? at : null);
    }

    private sealed record Reading(ImmutableSortedDictionary<string, RegisteredFederation> ByName, long? At);

    [GeneratedRegex(@"\Afedkseed:\{(?<name>[a-z0-9-]{1,63})\}:[a-z-]+\z")]
    private static partial Regex KeyOfFederation();
}
