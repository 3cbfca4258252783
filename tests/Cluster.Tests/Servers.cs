using System.Collections.Concurrent;
using FedKSeed.Cluster.Tests;
using FedKSeed.LocalServers;

[assembly: AssemblyFixture(typeof(Servers))]

namespace FedKSeed.Cluster.Tests;

/// <summary>
/// A virtual host of the broker and a database of the Redis: services of a test serve the federations of that test alone.
/// </summary>
public sealed record Place(string VirtualHost, Uri Broker, string Redis);

/// <summary>
/// A broker and a Redis for all tests of this project that need no cluster of their own; each names a federation of its own.
/// </summary>
public sealed class Servers : IAsyncLifetime
{
    private const int Places = 48;

    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-servers-").FullName;
    private readonly ConcurrentDictionary<string, Place> _places = new(StringComparer.Ordinal);
    private int _given;

    public RabbitMqServer Broker { get; private set; } = null!;

    public RedisServer Redis { get; private set; } = null!;

    /// <summary>The same one for the same name.</summary>
    public Place Of(string federation) => _places.GetOrAdd(federation, _ =>
    {
        var number = Interlocked.Increment(ref _given);
        var virtualHost = $"test-{number}";
        return number > Places
            ? throw new InvalidOperationException($"There are more than {Places} tests that need a place.")
            : new Place(
                virtualHost, new UriBuilder(Broker.Address) { Path = virtualHost }.Uri, $"{Redis.Connection},defaultDatabase={number}");
    });

    public async ValueTask InitializeAsync()
    {
        Redis = await RedisServer.StartAsync(Path.Combine(_folder, "redis"), Path.Combine(_folder, "logs"));
        Broker = await RabbitMqServer.StartAsync(Path.Combine(_folder, "rabbitmq"), Path.Combine(_folder, "logs"));
        // All at once: the control program takes a second to begin.
        await RabbitMqServer.ControlAsync(
            Broker.Node, CancellationToken.None, "eval",
            $$"""
            lists:foreach(fun(N) ->
              V = iolist_to_binary(["test-", integer_to_list(N)]),
              rabbit_vhost:add(V, <<"test">>),
              rabbit_auth_backend_internal:set_permissions(<<"guest">>, V, <<".*">>, <<".*">>, <<".*">>, <<"test">>)
            end, lists:seq(1, {{Places}})).
            """);
    }

    public async ValueTask DisposeAsync()
    {
        await Broker.DisposeAsync();
        await Redis.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
