using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>What a token lets its holder do.</summary>
public enum TokenRole
{
    /// <summary>Read everything.</summary>
    Reader,

    /// <summary>Steer, too.</summary>
    Operator,
}

/// <param name="Holder">Who has it: the actor of what is done with it.</param>
public sealed record AccessToken(string Holder, TokenRole Role, DateTimeOffset Since);

/// <summary>
/// Who may use the API of a store's services:
/// <code>
/// fedkseed:tokens  hash  SHA-256 of a token, hexadecimal → holder, role, since when, as JSON
/// </code>
/// The token itself is nowhere: whoever reads the store has none. Safe to call from any thread.
/// </summary>
public sealed class AccessTokens(IConnectionMultiplexer redis, TimeProvider time)
{
    /// <summary>What a token begins with, so that one that leaked is found by those who look for such.</summary>
    public const string Prefix = "fedkseed_";

    private const int SecretBytes = 32;

    private static readonly RedisKey Key = "fedkseed:tokens";

    private IDatabase Database => redis.GetDatabase();

    /// <returns>The token, which cannot be had again.</returns>
    public async Task<string> NewAsync(string holder, TokenRole role, CancellationToken cancel)
    {
        var token = Prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));
        var about = JsonSerializer.Serialize(new AccessToken(holder, role, time.GetUtcNow()), JsonSerializerOptions.Web);
        await RedisOperation.RunAsync(() => Database.HashSetAsync(Key, HashOf(token), about), cancel);
        return token;
    }

    /// <summary>Null for one that was never given out, or was revoked.</summary>
    public async Task<AccessToken?> FindAsync(string token, CancellationToken cancel) =>
        await RedisOperation.RunAsync(() => Database.HashGetAsync(Key, HashOf(token)), cancel) is { IsNull: false } about
            ? Read(about)
            : null;

    /// <summary>All of them, by holder.</summary>
    public async Task<IReadOnlyList<AccessToken>> AllAsync(CancellationToken cancel) =>
        [.. (await EntriesAsync(cancel)).Select(entry => Read(entry.Value)).OrderBy(token => token.Holder, StringComparer.Ordinal)];

    /// <summary>All tokens of a holder are no tokens any more.</summary>
    /// <returns>How many there were.</returns>
    public async Task<long> RevokeAsync(string holder, CancellationToken cancel)
    {
        RedisValue[] of = [.. (await EntriesAsync(cancel)).Where(entry => Read(entry.Value).Holder == holder).Select(entry => entry.Name)];
        return of.Length == 0 ? 0 : await RedisOperation.RunAsync(() => Database.HashDeleteAsync(Key, of), cancel);
    }

    private Task<HashEntry[]> EntriesAsync(CancellationToken cancel) =>
        RedisOperation.RunAsync(() => Database.HashGetAllAsync(Key), cancel);

    private static AccessToken Read(RedisValue about) =>
        JsonSerializer.Deserialize<AccessToken>(about.ToString(), JsonSerializerOptions.Web)!;

    /// <summary>A token is as random as a key: it needs no salt and no slow hash.</summary>
    public static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
