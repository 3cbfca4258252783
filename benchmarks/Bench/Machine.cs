using System.Globalization;

namespace FedKSeed.Bench;

/// <summary>What the system says about this machine; Linux tells more than others.</summary>
public static class Machine
{
    private const string MemoryFile = "/proc/meminfo", ProcessorFile = "/proc/cpuinfo", LoadFile = "/proc/loadavg";

    /// <summary>Bytes that a program may take without another one's going.</summary>
    public static long AvailableMemory()
    {
        var limit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes; // a container's, where there is one
        return Field(MemoryFile, "MemAvailable") is { } line
            ? Math.Min(limit, 1024 * long.Parse(line.Split(' ')[0], CultureInfo.InvariantCulture))
            : limit;
    }

    public static string Processor() =>
        $"{Field(ProcessorFile, "model name") ?? Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") ?? "unknown processor"}, "
            + $"{Environment.ProcessorCount} cores";

    /// <summary>Of the last minute; null where the system does not say.</summary>
    public static double? LoadAverage() =>
        File.Exists(LoadFile) ? double.Parse(File.ReadAllText(LoadFile).Split(' ')[0], CultureInfo.InvariantCulture) : null;

    private static string? Field(string file, string name) =>
        !File.Exists(file) ? null
        : File.ReadLines(file).Select(line => line.Split(':', 2))
            .FirstOrDefault(parts => parts.Length == 2 && parts[0].Trim() == name)?[1].Trim();
}
