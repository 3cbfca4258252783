namespace FedKSeed.Cli;

/// <summary>The caller has to change something: every fault at once. Exit code 2.</summary>
public sealed class UsageException(IReadOnlyList<string> faults) : Exception(string.Join(Environment.NewLine, faults))
{
    public IReadOnlyList<string> Faults { get; } = faults;
}

/// <summary>What was asked for cannot be had, for a reason that a person can act on. Exit code 1.</summary>
public sealed class FailureException(string message) : Exception(message);

public static class ExitCode
{
    public const int Done = 0;
    public const int Failed = 1;
    public const int WrongUsage = 2;
}
