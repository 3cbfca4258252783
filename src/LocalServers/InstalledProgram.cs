using System.Net;
using System.Net.Sockets;

namespace FedKSeed.LocalServers;

/// <summary>Programs of this machine, and ports for them.</summary>
public static class InstalledProgram
{
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

    /// <summary>Different ports of the loopback interface that nobody uses.</summary>
    public static IReadOnlyList<int> FreePorts(int count)
    {
        var probes = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToArray();
        foreach (var probe in probes)
            probe.Start();
        int[] ports = [.. probes.Select(probe => ((IPEndPoint)probe.LocalEndpoint).Port)];
        foreach (var probe in probes)
            probe.Dispose();
        return ports;
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
