using FedKSeed.Checkpoints;

namespace FedKSeed.Cli;

/// <summary>The caller has to change something: every fault at once. Exit code 2.</summary>
public sealed class UsageException(IReadOnlyList<string> faults) : Exception(string.Join(Environment.NewLine, faults))
{
    public IReadOnlyList<string> Faults { get; } = faults;

    /// <summary>What is wrong with the file or folder that an option names; nothing when reading it succeeds.</summary>
    public static IEnumerable<string> FaultsOf(string option, string path, Action<string> read)
    {
        ArgumentNullException.ThrowIfNull(read);
        try
        {
            read(path);
            return [];
        }
        catch (Exception fault) when (fault is InvalidDataException or CheckpointException or FormatException or IOException
            or UnauthorizedAccessException)
        {
            return Describe(path, fault).Split(Environment.NewLine).Select(line => $"{option}: {line}");
        }
    }

    /// <summary>What is wrong with a file that an option names, before it is read; nothing when it is there.</summary>
    public static IEnumerable<string> FaultsOfFile(string option, FileInfo file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return file.Exists ? []
            : Directory.Exists(file.FullName) ? [$"{option}: '{file.FullName}' is a folder, and a file is to be there."]
            : [$"{option}: there is no file '{file.FullName}'."];
    }

    /// <summary>What stands in the way of a folder that an option names and that is to be made; nothing when nothing does.</summary>
    public static IEnumerable<string> FaultsOfTarget(string option, string path)
    {
        for (var at = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)); at is not null; at = Path.GetDirectoryName(at))
            if (File.Exists(at))
                return [$"{option}: '{at}' is a file, and a folder is to be there."];
        return [];
    }

    private static string Describe(string path, Exception fault) => fault switch
    {
        FileNotFoundException { FileName: { } missing } => $"there is no file '{missing}'.",
        UnauthorizedAccessException when IsReadableFolder(path)
            && fault.Message.Contains($"'{Path.GetFullPath(path)}'", StringComparison.Ordinal) =>
            $"'{Path.GetFullPath(path)}' is a folder, and a file is to be there.",
        _ => fault.Message,
    };

    private static bool IsReadableFolder(string path)
    {
        try
        {
            return Directory.Exists(path) && Directory.EnumerateFileSystemEntries(path).Take(1).Count() >= 0;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }
}

/// <summary>What was asked for cannot be had, for a reason that a person can act on. Exit code 1.</summary>
public sealed class FailureException(string message) : Exception(message);

public static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongUsage = 2;
}
