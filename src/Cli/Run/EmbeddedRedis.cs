using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Garnet;
using Microsoft.Extensions.Logging.Abstractions;

namespace FedKSeed.Cli.Run;

/// <summary>
/// Garnet, a Redis-protocol server, inside this process: the same code path as a Redis in a cluster, with nothing to install. Its
/// data lie in a folder and outlive the process, a killed one included: a write is acknowledged when it is in the append-only file.
/// </summary>
public sealed class EmbeddedRedis : IDisposable
{
    private readonly GarnetServer _server;

    private EmbeddedRedis(GarnetServer server, int port) => (_server, Port) = (server, port);

    public int Port { get; }

    /// <summary>StackExchange.Redis configuration of this server.</summary>
    public string Connection => $"127.0.0.1:{Port.ToString(CultureInfo.InvariantCulture)}";

    /// <param name="folder">Created if it is absent; what an earlier server left there is recovered.</param>
    /// <param name="port">On the loopback interface; null takes a free one.</param>
    /// <exception cref="IOException">The port is in use, or another process has the folder open.</exception>
    public static EmbeddedRedis Start(string folder, int? port = null)
    {
        Directory.CreateDirectory(folder);
        var chosen = port ?? FreePort();
        RequireFree(chosen);
        string[] arguments =
        [
            "--bind", "127.0.0.1", "--port", chosen.ToString(CultureInfo.InvariantCulture),
            "--aof", "--aof-commit-wait", "--recover",
            // The default device needs libaio, which few machines have, and ends the process without it.
            "--device-type", "RandomAccess",
            "--storage-tier", "--logdir", folder, "--checkpointdir", folder,
            // A federation's book is a few megabytes; the defaults suit a cache server.
            "--memory", "256m", "--page", "1m", "--index", "4m",
            "--aof-memory", "16m", "--aof-page-size", "4m",
            "-q", "--disable-console-logger", "--fail-on-recovery-error",
        ];
        var server = new GarnetServer(arguments, NullLoggerFactory.Instance);
        try
        {
            server.Start();
        }
        catch (SocketException)
        {
            server.Dispose();
            throw PortInUse(chosen);
        }
        return new EmbeddedRedis(server, chosen);
    }

    /// <summary>Without an argument: Dispose(true) would delete the data.</summary>
    public void Dispose() => _server.Dispose();

    private static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private static void RequireFree(int port)
    {
        using var probe = new TcpListener(IPAddress.Loopback, port);
        try
        {
            probe.Start();
        }
        catch (SocketException)
        {
            throw PortInUse(port);
        }
    }

    private static IOException PortInUse(int port) =>
        new($"Port {port} on 127.0.0.1 is in use: choose another with --redis-port, or leave the option out to take a free one.");
}
