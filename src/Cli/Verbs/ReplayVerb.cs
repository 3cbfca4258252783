using System.CommandLine;
using System.Text.Json;
using FedKSeed.Checkpoints;
using FedKSeed.Perturbation;
using Spectre.Console;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed replay: any version of the model, from the log and the base model alone. Loads no torch.</summary>
internal static class ReplayVerb
{
    public static Command Create()
    {
        var log = CommonOptions.Log();
        var source = new Option<DirectoryInfo>("--base") { Description = "Folder of the base model.", HelpName = "DIR", Required = true };
        var version = new Option<int?>("--version")
        {
            Description = "The version to rebuild; 0 is the base. By default the one that the federation kept, or the last.",
            HelpName = "N",
        };
        var target = new Option<DirectoryInfo>("--to") { Description = "Folder for the rebuilt model.", HelpName = "DIR", Required = true };
        var force = new Option<bool>("--force") { Description = "Write into a folder that is not empty." };
        var threads = new Option<int>("--threads")
        {
            Description = "Threads to rebuild with; the bytes do not depend on it.",
            HelpName = "N",
            DefaultValueFactory = _ => Environment.ProcessorCount,
        };
        var json = CommonOptions.Json();
        var verb = new Command("replay", "Rebuild any version of the model from the log alone.")
        {
            log, source, version, target, force, threads, json,
        };
        verb.SetAction((parsed, cancel) => Task.FromResult(Execute(
            new Request(
                parsed.GetRequiredValue(log), parsed.GetRequiredValue(source), parsed.GetValue(version), parsed.GetRequiredValue(target),
                parsed.GetValue(force), parsed.GetValue(threads), parsed.GetValue(json)),
            parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error, cancel)));
        return verb;
    }

    private sealed record Request(
        FileInfo Log, DirectoryInfo Base, int? Version, DirectoryInfo Target, bool Force, int Threads, bool Json);

    private static int Execute(Request request, TextWriter output, TextWriter errors, CancellationToken cancel)
    {
        if (Faults(request) is { Count: > 0 } faults)
            throw new UsageException(faults);
        var version = ReplayedVersion.Read(request.Log.FullName, request.Version);
        using var source = Checkpoint.Open(request.Base.FullName);
        version.RequireBase(source, cancel);
        Progress(errors, report => version.Write(source, request.Target.FullName, request.Threads, report, cancel));
        output.WriteLine(request.Json
            ? JsonSerializer.Serialize(
                new { version = version.Version, digest = version.Digest, model = request.Target.FullName }, CommonOptions.JsonFormat)
            : $"Version {version.Version} is in {request.Target.FullName}; accumulators {version.Digest}.");
        return ExitCode.Done;
    }

    private static List<string> Faults(Request request)
    {
        var faults = new List<string>();
        if (!request.Log.Exists)
            faults.Add($"--log: there is no file '{request.Log.FullName}'.");
        if (!request.Base.Exists)
            faults.Add($"--base: there is no folder '{request.Base.FullName}'.");
        else
            faults.AddRange(UsageException.FaultsOf("--base", request.Base.FullName, folder => Checkpoint.Open(folder).Dispose()));
        if (request.Version < 0)
            faults.Add("--version must be 0 or more.");
        if (request.Threads is < 1 or > 1024)
            faults.Add("--threads must be between 1 and 1024.");
        if (Path.TrimEndingDirectorySeparator(request.Target.FullName) == Path.TrimEndingDirectorySeparator(request.Base.FullName))
            faults.Add("--to is the base model's folder, which must not be overwritten.");
        else if (!request.Force && request.Target.Exists && request.Target.EnumerateFileSystemInfos().Any())
            faults.Add($"--to: '{request.Target.FullName}' is not empty; --force writes into it all the same.");
        return faults;
    }

    /// <summary>A bar on a terminal's error stream, nothing elsewhere.</summary>
    private static void Progress(TextWriter errors, Action<IProgress<RebuildProgress>?> work)
    {
        if (Console.IsErrorRedirected)
        {
            work(null);
            return;
        }
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(errors) });
        console.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                var task = context.AddTask("Rebuilding");
                work(new ProgressBar(task));
                task.Value = task.MaxValue;
            });
    }

    private sealed class ProgressBar(ProgressTask task) : IProgress<RebuildProgress>
    {
        public void Report(RebuildProgress value)
        {
            task.MaxValue = Math.Max(1, value.BytesTotal);
            task.Value = value.BytesDone;
        }
    }
}
