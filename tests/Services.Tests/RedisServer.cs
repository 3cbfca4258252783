using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using FedKSeed.Services.Tests;
using StackExchange.Redis;

[assembly: AssemblyFixture(typeof(RedisServer))]

namespace FedKSeed.Services.Tests;

/// <summary>
/// A real redis-server on a free port, its data in memory, for all tests of this project; each test names a federation of its own.
/// </summary>
public sealed class RedisServer : IAsyncLifetime
{
    private Process? _process;

    public string Connection { get; private set; } = "";

    public IConnectionMultiplexer Client { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var port = FreePort();
        Connection = $"127.0.0.1:{port}";
        _process = Process.Start(new ProcessStartInfo("redis-server")
        {
            ArgumentList = {
                "--port", port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no" },
            RedirectStandardOutput = true,
        }) ?? throw new InvalidOperationException("redis-server did not start; ./test.sh installs it.");
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        var options = ConfigurationOptions.Parse(Connection);
        (options.AbortOnConnectFail, options.ConnectRetry) = (false, 50);
        Client = await ConnectionMultiplexer.ConnectAsync(options);
        for (var attempt = 0; !Client.IsConnected && attempt < 100; attempt++)
            await Task.Delay(50);
    }

    public async ValueTask DisposeAsync()
    {
        await Client.DisposeAsync();
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
