using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Run;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using FedKSeed.Observation;

namespace FedKSeed.Cli.Verbs;

/// <summary>A verb that runs a whole federation, from the base model to the report; where its services live is its own.</summary>
internal abstract class FederationVerb(string name, string description) : IVerb
{
    private const string ThisRun = "This run";

    /// <summary>What services and servers get to end in.</summary>
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(20);

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
    private readonly Option<FileInfo?> _config = new("--config")
    {
        HelpName = "FILE",
        Description = "Settings: a federation.json, as a run writes one; options override it. docs/SETTINGS.md lists them."
    };
    private readonly Option<bool> _json = CommonOptions.Json();

    public abstract int Place { get; }

    public virtual Command Create(VerbContext context)
    {
        var verb = new Command(name, description);
        foreach (var option in new Option[] { _output, _resume, _config, _json }.Select(option => option.In(ThisRun))
            .Concat(_options.All)
            .Concat(OwnOptions.Select(option => option.In(RunOptions.ThisMachine))))
            verb.Options.Add(option);
        verb.SetAction((parsed, cancel) => ExecuteAsync(parsed, context, cancel));
        return verb;
    }

    /// <summary>Options that the other verbs of this kind do not have.</summary>
    protected abstract IReadOnlyList<Option> OwnOptions { get; }

    /// <summary>What a folder to resume lacks of this verb's own; null when it is sound.</summary>
    protected abstract string? FaultOfResuming(RunFolder folder);

    protected abstract IFederationPlace PlaceOf(ParseResult parsed, bool isVerbose);

    /// <summary>Everything that is wrong with the arguments beyond their form.</summary>
    public IEnumerable<string> Faults(ParseResult parsed)
    {
        var faults = new List<string>();
        if (Folder(parsed, _resume) is { } resumed)
        {
            faults.AddRange(_options.Given(parsed).Where(option => option != _options.Threads)
                .Concat(new Option[] { _output, _config }.Where(option => IsGiven(parsed, option)))
                .Select(option => $"{option.Name} cannot be changed when a run is resumed."));
            if (!File.Exists(new RunFolder(resumed).Plan))
                return [.. faults, $"--resume: '{resumed}' is not the folder of a run: there is no federation.json in it."];
            if (FaultOfResuming(new RunFolder(resumed)) is { } fault)
                faults.Add($"--resume: {fault}");
        }
        else if (Folder(parsed, _output) is { } output)
        {
            faults.AddRange(UsageException.FaultsOfTarget(_output.Name, output));
            if (new RunFolder(output).HoldsRun)
                faults.Add($"--output: '{output}' holds a run already; --resume continues it.");
        }
        if (parsed.GetResult(_config) is { Tokens.Count: 1 }
            && UsageException.FaultsOfFile(_config.Name, parsed.GetValue(_config)!).ToArray() is { Length: > 0 } missing)
            return [.. faults, .. missing];
        var plan = Plan(parsed);
        return [.. faults, .. _options.Faults(parsed, plan), .. plan.Faults()];
    }

    private static bool IsGiven(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    private static string? Folder(ParseResult parsed, Option<DirectoryInfo?> option) =>
        parsed.GetResult(option) is { Tokens.Count: 1 } ? parsed.GetValue(option)!.FullName : null;

    private RunPlan Plan(ParseResult parsed) => _options.Plan(parsed, Start(parsed));

    /// <summary>What options change.</summary>
    private RunPlan Start(ParseResult parsed) =>
        Folder(parsed, _resume) is { } resumed ? RunPlan.Read(new RunFolder(resumed).Plan)
        : parsed.GetResult(_config) is { Tokens.Count: 1 } ? RunPlan.Read(parsed.GetValue(_config)!.FullName)
        : RunPlan.New;

    private async Task<int> ExecuteAsync(ParseResult parsed, VerbContext context, CancellationToken cancel)
    {
        if (Faults(parsed).ToArray() is { Length: > 0 } faults)
            throw new UsageException(faults);
        var resumed = Folder(parsed, _resume);
        using var owned = Own(resumed, Folder(parsed, _output));
        var folder = new RunFolder(owned.Path);
        var isVerbose = parsed.GetValue(context.Verbose);
        var isJson = parsed.GetValue(_json);
        var screen = Screen.Of(parsed.InvocationConfiguration, isJson, isVerbose);
        context.Interruption.Patience = StopTimeout;
        var plan = Plan(parsed);
        var goOn = "";
        RunSummary summary;
        try
        {
            summary = await new FederationJob(folder, screen, TimeProvider.System).RunAsync(
                plan, PlaceOf(parsed, isVerbose), resumed is not null,
                () => context.Interruption.GoOn = goOn = $"Continue with: fedkseed {name} --resume {folder.Path}", cancel);
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault) && !cancel.IsCancellationRequested)
        {
            // The library's own words are about its queues and threads.
            var store = plan.Redis is { } redis ? $"the Redis at {RedisRefusal.Addresses(redis)}" : "the run's own store";
            throw new FailureException($"{store} does not answer any more. {goOn}".TrimEnd());
        }
        if (isJson)
            parsed.InvocationConfiguration.Output.WriteLine(JsonSerializer.Serialize(summary, CommonOptions.JsonFormat));
        else
            screen.Show(summary);
        return summary.Reason == FederationEnd.Diverged ? ExitCode.Failed : ExitCode.Done;
    }

    /// <summary>The run's folder, as this process's own.</summary>
    /// <exception cref="FailureException">Another process has it, or had it since it was looked at.</exception>
    private OwnedFolder Own(string? resumed, string? output)
    {
        var verb = $"fedkseed {name}";
        if (resumed is not null)
            return OwnedFolder.Take(resumed, verb);
        if (output is null)
            return OwnNew(verb);
        var owned = OwnedFolder.Take(output, verb);
        if (!new RunFolder(output).HoldsRun)
            return owned;
        owned.Dispose();
        throw new FailureException($"'{output}' holds a run already; --resume continues it.");
    }

    /// <summary>One that is named after the time, and after how many others of that second there are.</summary>
    private static OwnedFolder OwnNew(string verb)
    {
        var path = Path.Combine("runs", TimeProvider.System.GetLocalNow().ToString("yyyy-MM-dd-HHmmss", CultureInfo.InvariantCulture));
        for (var number = 1; ; number++)
        {
            var candidate = number == 1 ? path : string.Create(CultureInfo.InvariantCulture, $"{path}-{number}");
            if (OwnedFolder.TryTake(candidate, verb) is not { } owned)
                continue;
            if (!new RunFolder(candidate).HoldsRun)
                return owned;
            owned.Dispose();
        }
    }
}
