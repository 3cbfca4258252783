using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Report;
using FedKSeed.Cli.Run;
using FedKSeed.Federation;
using FedKSeed.Perturbation;
using Microsoft.Extensions.DependencyInjection;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed run: a whole federation in one process, from the base model to the report.</summary>
internal sealed class RunVerb
{
    private readonly RunOptions _options = new();
    private readonly Option<DirectoryInfo?> _output = new("--output") { HelpName = "DIR", Description = "Folder for the results. [default: runs/<time>]" };
    private readonly Option<DirectoryInfo?> _resume = new("--resume") { HelpName = "DIR", Description = "Continue the run in this folder to the end it would have had." };
    private readonly Option<int?> _redisPort = new("--redis-port") { HelpName = "N", Description = "Port of the embedded store. [default: a free one]" };
    private readonly Option<bool> _json = CommonOptions.Json();

    public Command Create(Option<bool> verbose)
    {
        var verb = new Command("run", "Run a whole federation in this process: eight clients on the sample, unless told otherwise.");
        foreach (var option in new Option[] { _output, _resume }.Concat(_options.All).Concat([_redisPort, _json]))
            verb.Options.Add(option);
        verb.SetAction((parsed, cancel) => ExecuteAsync(parsed, parsed.GetValue(verbose), cancel));
        return verb;
    }

    /// <summary>Everything that is wrong with the arguments beyond their form.</summary>
    public IReadOnlyList<string> Faults(ParseResult parsed)
    {
        var faults = new List<string>();
        if (Folder(parsed, _resume) is { } resumed)
        {
            faults.AddRange(_options.Given(parsed).Where(option => option != _options.Threads).Concat(IsGiven(parsed, _output) ? [_output] : [])
                .Select(option => $"{option.Name} cannot be changed when a run is resumed."));
            if (!File.Exists(new RunFolder(resumed).Plan))
                return [.. faults, $"--resume: '{resumed}' is not the folder of a run: there is no federation.json in it."];
        }
        else if (Folder(parsed, _output) is { } output && File.Exists(new RunFolder(output).Log))
        {
            faults.Add($"--output: '{output}' holds a run already; --resume continues it.");
        }
        if (Port(parsed) is < 1 or > 65_535)
            faults.Add("--redis-port must be between 1 and 65535.");
        return [.. faults, .. Plan(parsed).Faults()];
    }

    private static bool IsGiven(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    private int? Port(ParseResult parsed) =>
        parsed.GetResult(_redisPort) is { Tokens: [var token] } && int.TryParse(token.Value, CultureInfo.InvariantCulture, out var port) ? port : null;

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
        var summary = await ExecuteAsync(Plan(parsed), folder, Port(parsed), screen, isVerbose, time, cancel);
        if (isJson)
            parsed.InvocationConfiguration.Output.WriteLine(JsonSerializer.Serialize(summary, CommonOptions.JsonFormat));
        else
            screen.Show(summary);
        return summary.Reason == FederationEnd.Diverged ? ExitCode.Failed : ExitCode.Done;
    }

    private static async Task<RunSummary> ExecuteAsync(
        RunPlan given, RunFolder folder, int? port, Screen screen, bool isVerbose, TimeProvider time, CancellationToken cancel)
    {
        var started = time.GetTimestamp();
        var plan = given.Resolve(cancel);
        Directory.CreateDirectory(folder.Path);
        folder.RequireSpace();
        plan.Write(folder.Plan);
        var before = screen.During("Scoring the base model", progress => HeldOutScore.Of(plan.Model, plan, progress, cancel));
        var metrics = await FederateAsync(plan, folder, port, screen, isVerbose, time, cancel);

        var closed = metrics.State.Closed!;
        using var source = Checkpoint.Open(plan.Model);
        screen.During($"Rebuilding version {closed.Version} from the log", _ =>
            ReplayedVersion.Read(folder.Log, closed.Version).Write(source, folder.Model, plan.Threads, null, cancel));
        var after = screen.During("Scoring the tuned model", progress => HeldOutScore.Of(folder.Model, plan, progress, cancel));
        var summary = RunSummary.Of(metrics, before, after, source, time.GetElapsedTime(started), folder);
        await File.WriteAllTextAsync(folder.Report, HtmlReport.Of(LogFile.Read(folder.Log), metrics.Rows, summary), cancel);
        return summary;
    }

    /// <summary>From the first round, or the one in which an earlier run was interrupted, to the last.</summary>
    private static async Task<RunMetrics> FederateAsync(
        RunPlan plan, RunFolder folder, int? port, Screen screen, bool isVerbose, TimeProvider time, CancellationToken cancel)
    {
        // Steps of torch block the threads that they run on, and messages must go on meanwhile.
        ThreadPool.SetMinThreads(plan.Threads + 16, plan.Threads + 16);
        using var embedded = plan.Redis is null ? EmbeddedRedis.Start(folder.Store, port) : null;
        var watch = new FederationWatch(plan.Federation.Rounds, time);
        using var host = FederationRun.Compose(plan, folder, plan.Redis ?? embedded!.Connection, watch, isVerbose);
        var recorder = host.Services.GetRequiredService<RunRecorder>();
        try
        {
            await host.StartAsync(cancel);
            return await screen.WatchAsync(watch, recorder.Closed, time, cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            throw new FailureException($"stopped at version {watch.View.Version}. Continue with: fedkseed run --resume {folder.Path}");
        }
        finally
        {
            await host.StopAsync(CancellationToken.None);
        }
    }
}
