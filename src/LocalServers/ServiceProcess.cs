namespace FedKSeed.LocalServers;

/// <summary>
/// Services of this repository as child processes: their programs lie beside this one, their configuration is in their environment.
/// </summary>
public static class ServiceProcess
{
    /// <param name="name">What people call it; its log is named after it.</param>
    /// <param name="program">FedKSeed.SeedService, FedKSeed.RoundService or FedKSeed.ClientWorker.</param>
    /// <param name="configuration">Settings, keys with colons.</param>
    /// <param name="address">Where it serves its health, and RoundService its window to the world.</param>
    /// <exception cref="ChildProcessException">There is no such program.</exception>
    public static ChildProcess Start(
        string name, string logFolder, string program, IEnumerable<KeyValuePair<string, string?>> configuration, Uri address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return ChildProcess.Start(
            name, logFolder, Path.Combine(AppContext.BaseDirectory, program), [], Environment(configuration, address.ToString()));
    }

    private static Dictionary<string, string> Environment(IEnumerable<KeyValuePair<string, string?>> configuration, string address) => new(
        configuration.Select(setting => KeyValuePair.Create(setting.Key.Replace(":", "__", StringComparison.Ordinal), setting.Value ?? "")))
    {
        ["ASPNETCORE_URLS"] = address,
        ["Health__Url"] = address,
        // The services share one machine: a heap for each of its cores is not what they need.
        ["DOTNET_gcServer"] = "0",
        ["Logging__Console__FormatterName"] = "simple",
        ["Logging__Console__FormatterOptions__SingleLine"] = "true",
        ["Logging__Console__FormatterOptions__TimestampFormat"] = "HH:mm:ss.fff ",
        ["Logging__LogLevel__Microsoft.Hosting"] = "Warning",
    };
}
