using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace FedKSeed.LocalServers;

/// <summary>Programs of this machine, and ports for them.</summary>
public static class InstalledProgram
{
    private const int LowestPort = 15_000, HighestPort = 32_768;

    /// <param name="candidates">Names to look for on the path, or full paths; the first that exists.</param>
    /// <param name="package">What installs it.</param>
    /// <exception cref="ChildProcessException">None is there.</exception>
    public static string Find(string package, params IReadOnlyList<string> candidates)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries)
            // Servers live there, and not every user has it on the path.
            .Append("/usr/sbin");
        return candidates.SelectMany(name => name.StartsWith('/') ? [name] : folders.Select(folder => Path.Combine(folder, name)))
            .FirstOrDefault(File.Exists)
            ?? throw new ChildProcessException(
                $"{Path.GetFileName(candidates[0])} was not found. Install it with: apt-get install {package}");
    }

    /// <summary>
    /// Different ports of the loopback interface that nobody uses, below those that systems hand out to outgoing connections: a client that
    /// keeps trying to reach a server that is down may otherwise get the server's port as its own, connect to itself, and keep the server
    /// out.
    /// </summary>
    public static IReadOnlyList<int> FreePorts(int count)
    {
        var free = new HashSet<int>();
        while (free.Count < count)
        {
            var port = RandomNumberGenerator.GetInt32(LowestPort, HighestPort);
            if (!free.Contains(port) && IsFree(port))
                free.Add(port);
        }
        return [.. free];
    }

    private static bool IsFree(int port)
    {
        using var probe = new TcpListener(IPAddress.Loopback, port);
        try
        {
            probe.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Whether somebody listens on a port of the loopback interface.</summary>
    internal static async Task<bool> AcceptsAsync(int port, CancellationToken cancel)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, cancel);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
