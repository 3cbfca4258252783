using FedKSeed.Cluster.Tests;
using FedKSeed.LocalServers;

[assembly: AssemblyFixture(typeof(Servers))]

namespace FedKSeed.Cluster.Tests;

/// <summary>
/// A broker and a Redis for all tests of this project that need no cluster of their own; each names a federation of its own.
/// </summary>
public sealed class Servers : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-servers-").FullName;

    public RabbitMqServer Broker { get; private set; } = null!;

    public RedisServer Redis { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Redis = await RedisServer.StartAsync(Path.Combine(_folder, "redis"), Path.Combine(_folder, "logs"));
        Broker = await RabbitMqServer.StartAsync(Path.Combine(_folder, "rabbitmq"), Path.Combine(_folder, "logs"));
    }

    public async ValueTask DisposeAsync()
    {
        await Broker.DisposeAsync();
        await Redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
