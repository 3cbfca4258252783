using FedKSeed.LocalServers;

namespace FedKSeed.Reliability;

/// <summary>Where services find broker and store: the servers themselves, or a proxy before them.</summary>
/// <param name="Broker">AMQP address.</param>
/// <param name="Redis">StackExchange.Redis configuration.</param>
public sealed record ServerAddresses(Uri Broker, string Redis);

/// <summary>A broker and a Redis of their own, which can be killed and started again with what they have on disk.</summary>
public sealed class FederationServers : IAsyncDisposable
{
    private FederationServers(RabbitMqServer broker, RedisServer redis, string redisFolder) =>
        (Broker, Redis, RedisFolder) = (broker, redis, redisFolder);

    public RabbitMqServer Broker { get; }

    public RedisServer Redis { get; }

    /// <summary>Holds the append-only file.</summary>
    public string RedisFolder { get; }

    public ServerAddresses Addresses => new(Broker.Address, Redis.Connection);

    /// <param name="folder">Takes their data and their logs.</param>
    /// <param name="redisFolder">Takes Redis's data instead, when that is to be on another disk.</param>
    /// <exception cref="ChildProcessException">One of them is not installed, or does not start.</exception>
    public static async Task<FederationServers> StartAsync(string folder, string? redisFolder = null, CancellationToken cancel = default)
    {
        var logs = LogsIn(folder);
        var data = redisFolder ?? Path.Combine(folder, "redis");
        var redis = await RedisServer.StartAsync(data, logs, cancel: cancel);
        try
        {
            return new FederationServers(
                await RabbitMqServer.StartAsync(Path.Combine(folder, "rabbitmq"), logs, cancel: cancel), redis, data);
        }
        catch
        {
            await redis.DisposeAsync();
            throw;
        }
    }

    /// <summary>What servers and services say, a file each.</summary>
    public static string LogsIn(string folder) => Path.Combine(folder, "logs");

    public async ValueTask DisposeAsync()
    {
        await Broker.DisposeAsync();
        await Redis.DisposeAsync();
    }
}
