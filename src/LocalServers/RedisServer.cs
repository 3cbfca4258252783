using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace FedKSeed.LocalServers;

/// <summary>The installed redis-server on a port of its own. Its data outlive it: a write is on disk before it is acknowledged.</summary>
public sealed class RedisServer : IAsyncDisposable
{
    private const string LockFile = ".lock";

    // Nothing that redis-server itself ends with.
    private const int IsTaken = 75;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // What the server of a process that was killed gets to end in, and more.
    private static readonly TimeSpan PatienceWithAnother = TimeSpan.FromSeconds(15);

    private readonly string _folder;
    private readonly string _logFolder;

    private RedisServer(string folder, string logFolder, int port)
    {
        (_folder, _logFolder, Port) = (folder, logFolder, port);
        Process = Launch();
    }

    public ChildProcess Process { get; private set; }

    public int Port { get; }

    /// <summary>StackExchange.Redis configuration of this server.</summary>
    public string Connection => $"127.0.0.1:{Port.ToString(CultureInfo.InvariantCulture)}";

    /// <param name="folder">What an earlier server left there is loaded.</param>
    /// <exception cref="ChildProcessException">
    /// It is not installed, or does not start, or another server works in the folder and does not end within seconds: two would spoil its
    /// files.
    /// </exception>
    public static async Task<RedisServer> StartAsync(string folder, string logFolder, int? port = null, CancellationToken cancel = default)
    {
        Directory.CreateDirectory(folder);
        var server = new RedisServer(folder, logFolder, port ?? InstalledProgram.FreePorts(1)[0]);
        try
        {
            await server.Process.UntilAsync(server.AnswersAsync, Patience, cancel);
        }
        catch (Exception fault)
        {
            await server.DisposeAsync();
            if (fault is ChildProcessException && server.Process.ExitCode == IsTaken)
                throw new ChildProcessException(
                    $"Another Redis works in '{folder}', maybe one of a process that was killed: end it, then try again. "
                        + $"fuser '{Path.Combine(Path.GetFullPath(folder), LockFile)}' tells its process.");
            throw;
        }
        return server;
    }

    /// <summary>Starts it again after it ended, with its data and on its port.</summary>
    /// <exception cref="ChildProcessException">It does not start.</exception>
    public async Task RestartAsync(CancellationToken cancel)
    {
        await Process.DisposeAsync();
        Process = Launch();
        await Process.UntilAsync(AnswersAsync, Patience, cancel);
    }

    public ValueTask DisposeAsync() => Process.DisposeAsync();

    /// <summary>It holds a lock on its folder, which goes with it however it ends.</summary>
    private ChildProcess Launch() => ChildProcess.Start(
        "redis", _logFolder, "flock",
        [
            "--no-fork", "--timeout", PatienceWithAnother.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            "--conflict-exit-code", IsTaken.ToString(CultureInfo.InvariantCulture), Path.Combine(Path.GetFullPath(_folder), LockFile),
            InstalledProgram.Find("redis-server", "redis-server"),
            "--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--databases", "64",
            "--dir", Path.GetFullPath(_folder),
            "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction",
        ],
        []);

    /// <summary>A server that still loads its data answers otherwise.</summary>
    private async Task<bool> AnswersAsync(CancellationToken cancel)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, Port, cancel);
            await client.GetStream().WriteAsync("PING\r\n"u8.ToArray(), cancel);
            var answer = new byte[5];
            await client.GetStream().ReadExactlyAsync(answer, cancel);
            return Encoding.ASCII.GetString(answer) == "+PONG";
        }
        catch (Exception fault) when (fault is SocketException or IOException)
        {
            return false;
        }
    }
}
