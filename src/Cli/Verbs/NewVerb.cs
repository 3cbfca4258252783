using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Run;
using FedKSeed.Perturbation.Adapters;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed new: the settings of a federation as a file, checked, with the digest of its base model.</summary>
internal sealed class NewVerb : IVerb
{
    private const string DefaultFile = "federation.json", ThisFile = "This file";

    // Of fedkseed run alone: of its machine, or settled otherwise here.
    private static readonly HashSet<string> OfRun =
        ["--name", "--adapter", "--data", "--dtype", "--device", "--redis", "--threads"];

    private readonly RunOptions _options = new();
    private readonly Argument<string?> _name = new("NAME")
    {
        Description = "Name of the federation.",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private readonly Option<int?> _clients = CommonOptions.Number(
        "--clients", "Clients that are expected: the first round waits for as many as its quorum asks for. [default: 1]", 1, 1_000_000);
    private readonly Option<FileInfo?> _output = new("--output")
    {
        HelpName = "FILE",
        Description = $"Where it is written. [default: {DefaultFile}]",
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public int Place => 21;

    public Command Create(VerbContext context)
    {
        var verb = new Command(
            "new", "Write the settings of a new federation, checked; on a terminal, what is not given is asked for.")
        {
            _name,
        };
        foreach (var option in new Option[] { _output, _clients, _json }.Select(option => option.In(ThisFile))
            .Concat(_options.All.Where(option => !OfRun.Contains(option.Name))))
            verb.Options.Add(option);
        verb.SetAction((parsed, cancel) => Task.FromResult(Execute(parsed, context, cancel)));
        return verb;
    }

    public IEnumerable<string> Faults(ParseResult parsed)
    {
        var plan = _options.Plan(parsed, RunPlan.New);
        return [.. _options.Faults(parsed, plan), .. plan.Faults(withData: false)];
    }

    private int Execute(ParseResult parsed, VerbContext context, CancellationToken cancel)
    {
        var file = parsed.GetValue(_output) ?? new FileInfo(DefaultFile);
        var plan = Asked(parsed, _options.Plan(parsed, RunPlan.New), out var clients);
        if (FaultsOf(parsed, plan, file).ToArray() is { Length: > 0 } faults)
            throw new UsageException(faults);
        var isJson = parsed.GetValue(_json);
        var screen = Screen.Of(parsed.InvocationConfiguration, isJson, parsed.GetValue(context.Verbose));
        var resolved = plan.Resolve(clients, cancel);
        try
        {
            resolved.WriteShared(file.FullName);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new FailureException($"'{file.FullName}' cannot be written: {fault.Message}");
        }
        var federation = resolved.Federation;
        if (isJson)
            parsed.InvocationConfiguration.Output.WriteLine(JsonSerializer.Serialize(
                new { name = federation.Name, file = file.FullName, baseModelDigest = federation.BaseModelDigest },
                CommonOptions.JsonFormat));
        screen.Line($"{file.Name}: federation {federation.Name}, {federation.Rounds} rounds of {federation.StepsPerRound} steps.");
        screen.Line($"Base model: {federation.BaseModelDigest}");
        screen.Line($"Next: fedkseed open {file.Name} --server URL --token-file FILE");
        return ExitCode.Done;
    }

    /// <summary>On a terminal, a person is asked for what the arguments do not say.</summary>
    private RunPlan Asked(ParseResult parsed, RunPlan plan, out int clients)
    {
        var canAsk = Screen.IsTerminal(parsed.InvocationConfiguration) && !parsed.GetValue(_json);
        var name = parsed.GetValue(_name) ?? (canAsk
            ? Questions.Ask("Name of the federation:", answer => ServerOptions.FaultOfName("The name", answer))
            : throw new UsageException([$"NAME is needed: {_name.Description}", .. Faults(parsed)]));
        plan = plan with { Federation = plan.Federation with { Name = name } };
        if (canAsk && !_options.Given(parsed).Any(option => option.Name == "--model"))
            plan = plan with
            {
                Model = Questions.Ask(
                    "Folder of the base model:", folder => RunPlan.ModelFaults(folder).FirstOrDefault(),
                    Directory.Exists(plan.Model) ? plan.Model : null),
            };
        clients = parsed.GetValue(_clients) ?? (canAsk
            ? int.Parse(
                Questions.Ask(
                    "Clients that are expected:",
                    answer => NumberText.Number<int>(answer) is >= 1 and <= 1_000_000 ? null : "A whole number from 1 to 1000000.", "1"),
                CultureInfo.InvariantCulture)
            : 1);
        return plan;
    }

    private IEnumerable<string> FaultsOf(ParseResult parsed, RunPlan plan, FileInfo file)
    {
        if (ServerOptions.FaultOfName("NAME", plan.Federation.Name) is { } name)
            yield return name;
        // What is wrong with the name was said in better words.
        foreach (var fault in _options.Faults(parsed, plan).Concat(
            (plan with { Federation = plan.Federation with { Name = "federation" } }).Faults(withData: false)))
            yield return fault;
        if (Directory.Exists(plan.Model) && PeftFolder.IsIn(plan.Model))
            yield return $"--model: '{Path.GetFullPath(plan.Model)}' is an adapter's folder: a federation starts from a whole model, which "
                + "all of its clients have.";
        if (file.Exists)
            yield return $"--output: '{file.FullName}' is there already: name another one.";
        foreach (var fault in UsageException.FaultsOfTarget("--output", file.DirectoryName!))
            yield return fault;
        if (Directory.Exists(file.FullName))
            yield return $"--output: '{file.FullName}' is a folder, and a file is to be there.";
        else if (!Directory.Exists(file.DirectoryName))
            yield return $"--output: there is no folder '{file.DirectoryName}'.";
    }
}
