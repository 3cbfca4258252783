using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Reflection;
using FedKSeed.Bench;
using FedKSeed.Checkpoints;
using FedKSeed.Cli.Remote;
using FedKSeed.Cli.Verbs;
using FedKSeed.Federation.Log;
using FedKSeed.LocalServers;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Versions;

namespace FedKSeed.Cli;

/// <summary>The verbs, and what becomes of their failures: a message on the error stream and an exit code.</summary>
public static class FedKSeedCommand
{
    /// <param name="input">What interactive verbs read; null for the process's own.</param>
    /// <param name="more">An assembly with verbs beside this one's.</param>
    /// <param name="interruption">Null when nobody can interrupt.</param>
    public static async Task<int> InvokeAsync(
        string[] arguments, TextWriter output, TextWriter errors, TextReader? input = null, Assembly? more = null,
        Interruption? interruption = null)
    {
        using var nobody = interruption is null ? Interruption.None() : null;
        interruption ??= nobody!;
        var verbose = new Option<bool>("--verbose") { Description = "Show logs, and stack traces of failures.", Recursive = true };
        var root = new RootCommand("Federated full-parameter tuning of language models: seeds and scalars on the wire, nothing else.")
        {
            verbose,
        };
        var context = new VerbContext(verbose, input ?? Console.In, interruption);
        var verbs = Verbs(more).ToDictionary(verb => verb.Create(context));
        foreach (var verb in verbs.Keys)
            root.Subcommands.Add(verb);

        foreach (var help in root.Options.OfType<HelpOption>())
        {
            help.Action = new HelpPage();
            // Names of another system's habits, which completion would offer.
            help.Aliases.Remove("/h");
            help.Aliases.Remove("/?");
        }

        var parsed = root.Parse(arguments);
        var isVerbose = parsed.GetValue(verbose);
        try
        {
            // What was left empty has no value that a verb could judge.
            if (ParseFaults.Empty(parsed.CommandResult).Any())
                throw new UsageException([.. ParseFaults.Of(parsed)]);
            if (parsed.Errors.Count > 0)
                throw new UsageException(
                    [.. ParseFaults.Of(parsed), .. verbs.GetValueOrDefault(parsed.CommandResult.Command)?.Faults(parsed) ?? []]);
            var invocation = new InvocationConfiguration
            {
                Output = output,
                Error = errors,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            };
            return await parsed.InvokeAsync(invocation, interruption.Token);
        }
        catch (Exception failure) when (interruption.IsRequested)
        {
            // Whatever it was: it is what ending looks like from where the signal found the verb.
            errors.WriteLine(interruption.Message);
            if (isVerbose)
                errors.WriteLine(failure);
            return interruption.ExitCode;
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            return Report(failure, parsed, isVerbose, errors);
        }
    }

    /// <summary>One of each kind, in the order in which help lists them.</summary>
    private static IEnumerable<IVerb> Verbs(Assembly? more) =>
        new[] { typeof(IVerb).Assembly, more }.OfType<Assembly>().SelectMany(assembly => assembly.GetTypes())
            .Where(type => type.IsAssignableTo(typeof(IVerb)) && type is { IsAbstract: false, IsInterface: false })
            .Select(type => (IVerb)Activator.CreateInstance(type)!)
            .OrderBy(verb => verb.Place);

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

    /// <summary>Of the verb, that of the one that it belongs to before it.</summary>
    private static string NameOf(ParseResult parsed)
    {
        var name = "";
        for (var at = parsed.CommandResult; at is { Command: not RootCommand }; at = at.Parent as CommandResult)
            name = $"{at.Command.Name} {name}";
        return name;
    }

    private static string Describe(Exception failure) => failure switch
    {
        OperationCanceledException => "stopped.",
        FailureException or ServerException or VersionException or BenchException or ChildProcessException or InvalidEntryException
            or CheckpointException or InvalidDataException or IOException or UnauthorizedAccessException
            or CudaException => failure.Message,
        _ => $"{failure.Message} ({failure.GetType().Name}; --verbose shows where)",
    };
}
