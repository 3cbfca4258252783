using System.CommandLine;
using FedKSeed.Checkpoints;
using FedKSeed.Cli.Verbs;
using FedKSeed.Federation.Log;
using FedKSeed.LocalServers;
using FedKSeed.Perturbation.Cuda;

namespace FedKSeed.Cli;

/// <summary>The verbs, and what becomes of their failures: a message on the error stream and an exit code.</summary>
public static class FedKSeedCommand
{
    private static readonly Option<bool> Verbose = new("--verbose")
    {
        Description = "Show logs, and stack traces of failures.",
        Recursive = true,
    };

    /// <summary>What a verb gets to end in after Ctrl-C or SIGTERM.</summary>
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(20);

    /// <param name="input">What interactive verbs read; null for the process's own.</param>
    public static async Task<int> InvokeAsync(string[] arguments, TextWriter output, TextWriter errors, TextReader? input = null)
    {
        var root = new RootCommand("Federated full-parameter tuning of language models: seeds and scalars on the wire, nothing else.")
        {
            Verbose,
        };
        var federations = new FederationVerb[] { new RunVerb(), new ClusterVerb() }.ToDictionary(verb => verb.Create(Verbose));
        Command[] others =
        [
            ReplayVerb.Create(), VerifyVerb.Create(), PartitionVerb.Create(Verbose), EvaluateVerb.Create(Verbose),
            GenerateVerb.Create(input ?? Console.In),
            BenchVerb.Create(Verbose), DoctorVerb.Create(),
        ];
        foreach (var verb in federations.Keys.Concat(others))
            root.Subcommands.Add(verb);

        var parsed = root.Parse(arguments);
        var isVerbose = parsed.GetValue(Verbose);
        try
        {
            if (parsed.Errors.Count > 0)
                throw new UsageException([
                    .. parsed.Errors.Select(error => error.Message),
                    .. federations.GetValueOrDefault(parsed.CommandResult.Command)?.Faults(parsed) ?? []]);
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                Output = output,
                Error = errors,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = StopTimeout,
            });
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            return Report(failure, parsed, isVerbose, errors);
        }
    }

    private static int Report(Exception failure, ParseResult parsed, bool isVerbose, TextWriter errors)
    {
        if (failure is UsageException usage)
        {
            foreach (var fault in usage.Faults)
                errors.WriteLine($"fedkseed: {fault}");
            errors.WriteLine($"See: fedkseed {NameOf(parsed)}--help");
            return ExitCode.WrongUsage;
        }
        errors.WriteLine($"fedkseed: {Describe(failure)}");
        if (isVerbose)
            errors.WriteLine(failure);
        return ExitCode.Failed;
    }

    private static string NameOf(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";

    private static string Describe(Exception failure) => failure switch
    {
        OperationCanceledException => "stopped.",
        FailureException or ChildProcessException or InvalidEntryException or CheckpointException or InvalidDataException or IOException
            or UnauthorizedAccessException or CudaException => failure.Message,
        _ => $"{failure.Message} ({failure.GetType().Name}; --verbose shows where)",
    };
}
