namespace FedKSeed.InstructionData.Forms;

/// <summary>The data of a federation in a folder: a file for each client, client-*, and one that is held out, held-out.</summary>
public sealed record DataFolder
{
    private const string ClientPrefix = "client-", HeldOutName = "held-out";

    /// <summary>The files of each client, by the client's name: that of the file. More than one is a mistake.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<string>> Clients { get; init; }

    /// <summary>The held-out file; of several the one that is looked for first, and where there is none, the usual name.</summary>
    public required string HeldOut { get; init; }

    /// <summary>Names of what lies there and is not taken, folders with a slash.</summary>
    public required IReadOnlyList<string> NotTaken { get; init; }

    public static DataFolder Of(string path)
    {
        var all = Directory.Exists(path) ? Directory.GetFileSystemEntries(path) : [];
        string[] files = [.. all.Where(entry => File.Exists(entry) && DataFile.IsNamedSo(entry)).OrderBy(Rank)
            .ThenBy(entry => entry, StringComparer.Ordinal)];
        var clients = files.Where(file => DataFile.NameOf(file).StartsWith(ClientPrefix, StringComparison.Ordinal))
            .GroupBy(DataFile.NameOf, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => (IReadOnlyList<string>)[.. group], StringComparer.Ordinal);
        var heldOut = Array.Find(files, file => DataFile.NameOf(file) == HeldOutName);
        return new DataFolder
        {
            Clients = new SortedDictionary<string, IReadOnlyList<string>>(clients, StringComparer.Ordinal),
            HeldOut = heldOut ?? Path.Combine(path, HeldOutName + DataFile.Extensions[0]),
            NotTaken = [.. all.Except(clients.Values.SelectMany(taken => taken)).Where(entry => entry != heldOut)
                .Select(entry => Path.GetFileName(entry) + (Directory.Exists(entry) ? "/" : "")).Order(StringComparer.Ordinal)],
        };
    }

    private static int Rank(string file)
    {
        var extensions = DataFile.Extensions;
        return Enumerable.Range(0, extensions.Count).Where(i => file.EndsWith(extensions[i], StringComparison.OrdinalIgnoreCase))
            .MaxBy(i => extensions[i].Length);
    }
}
