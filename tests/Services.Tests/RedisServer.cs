using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using FedKSeed.Services.Tests;
using StackExchange.Redis;

[assembly: AssemblyFixture(typeof(RedisServer))]

namespace FedKSeed.Services.Tests;

/// <summary>A store of its own.</summary>
public sealed record Store(string Connection, IConnectionMultiplexer Client);

/// <summary>
/// A real redis-server on a free port, its data in memory, for all tests of this project. Services serve all federations of their store, so
/// each test has a database of its own, named after its federation.
/// </summary>
public sealed class RedisServer : IAsyncLifetime
{
    private const int Databases = 256;

    private readonly ConcurrentDictionary<string, Lazy<Store>> _stores = new(StringComparer.Ordinal);
    private Process? _process;
    private string _connection = "";
    private int _given;

    /// <summary>A database of the server: the same one for the same name.</summary>
    public Store Of(string federation) => _stores.GetOrAdd(
        federation, _ => new(() =>
        {
            var connection = $"{_connection},defaultDatabase={Interlocked.Increment(ref _given) % Databases}";
            return new Store(connection, ConnectionMultiplexer.Connect(connection));
        })).Value;

    public async ValueTask InitializeAsync()
    {
        var port = FreePort();
        _connection = $"127.0.0.1:{port}";
        _process = Process.Start(new ProcessStartInfo("redis-server")
        {
            ArgumentList = {
                "--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--databases", $"{Databases}", "--save", "",
                "--appendonly", "no" },
            RedirectStandardOutput = true,
        }) ?? throw new InvalidOperationException("redis-server did not start; ./test.sh installs it.");
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        var options = ConfigurationOptions.Parse(_connection);
        (options.AbortOnConnectFail, options.ConnectRetry) = (false, 50);
        await using var client = await ConnectionMultiplexer.ConnectAsync(options);
        for (var attempt = 0; !client.IsConnected && attempt < 100; attempt++)
            await Task.Delay(50);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores.Values)
            await store.Value.Client.DisposeAsync();
        _process?.Kill();
        _process?.Dispose();
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
