using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using MassTransit;
using RabbitMQ.Client;
using StackExchange.Redis;

namespace FedKSeed.Reliability;

/// <summary>What figures were measured with, in words: they mean little without.</summary>
public static class Surroundings
{
    /// <summary>Date, machine and load.</summary>
    public static string Machine(TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        var processor = Value("/proc/cpuinfo", "model name");
        var memory = long.Parse(Value("/proc/meminfo", "MemTotal").Split(' ')[0], CultureInfo.InvariantCulture) / (1 << 20);
        var load = File.ReadAllText("/proc/loadavg").Split(' ')[2];
        return $"{time.GetUtcNow():d MMMM yyyy}, {Environment.ProcessorCount} cores of {processor}, {memory} GiB, "
            + $"load average of the last 15 minutes {load}";
    }

    /// <summary>Versions of everything that took part.</summary>
    public static async Task<string> VersionsAsync() =>
        $".NET {Environment.Version}, {RuntimeInformation.OSDescription}, MassTransit {VersionOf(typeof(IBus))}, "
        + $"RabbitMQ {await FirstLineAsync("/usr/lib/rabbitmq/bin/rabbitmqctl", "version")} (client {VersionOf(typeof(IConnection))}), "
        + $"{await FirstLineAsync("redis-server", "--version")} (client {VersionOf(typeof(IConnectionMultiplexer))})";

    private static string VersionOf(Type type) =>
        type.Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+')[0];

    private static string Value(string file, string name) =>
        File.ReadLines(file).Where(line => line.StartsWith(name, StringComparison.Ordinal))
            .Select(line => line.Split(':', 2)[1].Trim()).FirstOrDefault("unknown");

    private static async Task<string> FirstLineAsync(string program, string argument)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, [argument]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return string.Join(' ', said.Split('\n')[0].Split(' ').Take(3)).Replace("server v=", "", StringComparison.Ordinal);
    }
}
