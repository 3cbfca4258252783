using FedKSeed.Federation;
using FedKSeed.LogStore;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace FedKSeed.Reliability;

/// <summary>Opens a federation on a store before any service looks at it.</summary>
public static class Opening
{
    /// <param name="redis">StackExchange.Redis configuration.</param>
    public static async Task OpenAsync(string redis, FederationSettings settings, TimeProvider time, CancellationToken cancel)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis);
        using var registry = new FederationRegistry(connection, time);
        await new FederationBooks(connection, registry, time, NullLogger<FederationBook>.Instance).OpenAsync(settings, actor: null, cancel);
    }
}
