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
            return fault.Message.Split(Environment.NewLine).Select(line => $"{option}: {line}");
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
