using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Run;
using FedKSeed.Federation.Log;

namespace FedKSeed.Cli.Verbs;

/// <summary>A verb that runs a whole federation, from the base model to the report; where its services live is its own.</summary>
internal abstract class FederationVerb(string name, string description)
{
    private readonly RunOptions _options = new();
    private readonly Option<DirectoryInfo?> _output = new("--output")
    {
        HelpName = "DIR",
        Description = "Folder for the results. [default: runs/<time>]"
    };
    private readonly Option<DirectoryInfo?> _resume = new("--resume")
    {
        HelpName = "DIR",
        Description = "Continue the run in this folder to the end it would have had."
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public virtual Command Create(Option<bool> verbose)
    {
        var verb = new Command(name, description);
        foreach (var option in new Option[] { _output, _resume }.Concat(_options.All).Concat(OwnOptions).Append(_json))
            verb.Options.Add(option);
        verb.SetAction((parsed, cancel) => ExecuteAsync(parsed, parsed.GetValue(verbose), cancel));
        return verb;
    }

    /// <summary>Options that the other verbs of this kind do not have.</summary>
    protected abstract IReadOnlyList<Option> OwnOptions { get; }

    /// <summary>What is wrong with them.</summary>
    protected abstract IEnumerable<string> OwnFaults(ParseResult parsed);

    /// <summary>What a folder to resume lacks of this verb's own; null when it is sound.</summary>
    protected abstract string? FaultOfResuming(RunFolder folder);

    protected abstract IFederationPlace Place(ParseResult parsed, bool isVerbose);

    /// <summary>Everything that is wrong with the arguments beyond their form.</summary>
    public IReadOnlyList<string> Faults(ParseResult parsed)
    {
        var faults = new List<string>();
        if (Folder(parsed, _resume) is { } resumed)
        {
            faults.AddRange(_options.Given(parsed).Where(option => option != _options.Threads)
                .Concat(IsGiven(parsed, _output) ? [_output] : [])
                .Select(option => $"{option.Name} cannot be changed when a run is resumed."));
            if (!File.Exists(new RunFolder(resumed).Plan))
                return [.. faults, $"--resume: '{resumed}' is not the folder of a run: there is no federation.json in it."];
            if (FaultOfResuming(new RunFolder(resumed)) is { } fault)
                faults.Add($"--resume: {fault}");
        }
        else if (Folder(parsed, _output) is { } output && File.Exists(new RunFolder(output).Log))
        {
            faults.Add($"--output: '{output}' holds a run already; --resume continues it.");
        }
        return [.. faults, .. OwnFaults(parsed), .. Plan(parsed).Faults()];
    }

    /// <summary>The value of an option that was given and is a whole number.</summary>
    protected static int? WholeNumber(ParseResult parsed, Option option) =>
        parsed.GetResult(option) is { Tokens: [var token] } && int.TryParse(token.Value, CultureInfo.InvariantCulture, out var value)
            ? value
            : null;

    private static bool IsGiven(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    private static string? Folder(ParseResult parsed, Option<DirectoryInfo?> option) =>
        parsed.GetResult(option) is { Tokens.Count: 1 } ? parsed.GetValue(option)!.FullName : null;

    private RunPlan Plan(ParseResult parsed) =>
        _options.Plan(parsed, Folder(parsed, _resume) is { } resumed ? RunPlan.Read(new RunFolder(resumed).Plan) : new RunPlan());

    private async Task<int> ExecuteAsync(ParseResult parsed, bool isVerbose, CancellationToken cancel)
    {
        if (Faults(parsed) is { Count: > 0 } faults)
            throw new UsageException(faults);
        var time = TimeProvider.System;
        var folder = new RunFolder(Folder(parsed, _resume) ?? Folder(parsed, _output)
            ?? Path.Combine("runs", time.GetLocalNow().ToString("yyyy-MM-dd-HHmmss", CultureInfo.InvariantCulture)));
        var isJson = parsed.GetValue(_json);
        var screen = Screen.Of(parsed.InvocationConfiguration, isJson, isVerbose);
        var summary = await new FederationJob(folder, screen, time).RunAsync(
            Plan(parsed), Place(parsed, isVerbose), $"fedkseed {name} --resume {folder.Path}", cancel);
        if (isJson)
            parsed.InvocationConfiguration.Output.WriteLine(JsonSerializer.Serialize(summary, CommonOptions.JsonFormat));
        else
            screen.Show(summary);
        return summary.Reason == FederationEnd.Diverged ? ExitCode.Failed : ExitCode.Done;
    }
}
