namespace FedKSeed.Cli.Remote;

/// <summary>A token in a file that its owner alone may read. It is never in an argument, which others of the machine see.</summary>
public static class TokenFile
{
    /// <summary>Where a token is looked for when no file is named.</summary>
    public const string Variable = "FEDKSEED_TOKEN";

    // One that is longer is no token, and no file of one.
    private const int Longest = 4096;

    private const UnixFileMode Others =
        UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    /// <summary>The token in a file, without what is about it; what is wrong with the file is added to the faults.</summary>
    public static string? Read(string option, FileInfo file, ICollection<string> faults)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(faults);
        var before = faults.Count;
        foreach (var fault in UsageException.FaultsOfFile(option, file))
            faults.Add(fault);
        if (faults.Count > before)
            return null;
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(file.FullName) & Others) != 0)
            faults.Add($"{option}: others may read or write '{file.FullName}': chmod 600 makes it its owner's alone.");
        string? token = null;
        foreach (var fault in UsageException.FaultsOf(
            option, file.FullName, path => token = file.Length <= Longest ? File.ReadAllText(path).Trim() : ""))
            faults.Add(fault);
        if (token is not null && !IsToken(token))
            faults.Add($"{option}: '{file.FullName}' holds no token, which is one word.");
        return faults.Count > before ? null : token;
    }

    /// <summary>Whether a header can carry it; whether it opens anything the server says.</summary>
    public static bool IsToken(string text) => text is { Length: > 0 } && text.All(character => character is > ' ' and <= '~');
}
