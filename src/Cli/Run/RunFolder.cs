namespace FedKSeed.Cli.Run;

/// <summary>Where a run keeps what it leaves behind.</summary>
public sealed record RunFolder(string Path)
{
    /// <summary>Less than this on its disk ends a run while everything it has can still be saved.</summary>
    private const long LeastFreeBytes = 64L << 20;

    public string Model => In("model");

    /// <summary>The base model of a run that began with an adapter: both merged.</summary>
    public string Base => In("base");

    public string Log => In("events.log");

    public string Metrics => In("metrics.csv");

    /// <summary>What was measured of each assignment.</summary>
    public string ClientMetrics => In("clients.csv");

    public string Report => In("report.html");

    public string Plan => In("federation.json");

    public string Store => In("store");

    /// <summary>What the processes of a cluster say, a file each.</summary>
    public string Logs => In("logs");

    /// <summary>Data of a cluster's broker and Redis, and where they listen.</summary>
    public string Cluster => In("cluster");

    /// <summary>Whether a run was begun in it.</summary>
    public bool HoldsRun => File.Exists(Plan) || File.Exists(Log);

    /// <exception cref="IOException">The disk is nearly full.</exception>
    public void RequireSpace()
    {
        var free = new DriveInfo(System.IO.Path.GetFullPath(Path)).AvailableFreeSpace;
        if (free < LeastFreeBytes)
            throw new IOException(
                $"The disk of '{Path}' is full: {free >> 20} MiB are left, {LeastFreeBytes >> 20} MiB are needed. What was saved is "
                    + "intact.");
    }

    private string In(string name) => System.IO.Path.Combine(Path, name);
}
