using System.CommandLine;
using System.Text.Json;
using FedKSeed.Checkpoints;
using FedKSeed.Cli.Run;
using FedKSeed.Federation.Log;
using FedKSeed.InstructionData;
using FedKSeed.Perturbation;
using FedKSeed.Versions;
using Spectre.Console;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed replay: any version of the model, from the log and the base model alone. Loads no torch.</summary>
internal sealed class ReplayVerb : IVerb
{
    public int Place => 38;

    public Command Create(VerbContext context)
    {
        var log = CommonOptions.Log();
        var source = new Option<DirectoryInfo>("--base") { Description = "Folder of the base model.", HelpName = "DIR", Required = true };
        var version = CommonOptions.Number(
            "--version", "The version to rebuild; 0 is the base. [default: the one that the federation kept, or the last]",
            0, int.MaxValue);
        var target = new Option<DirectoryInfo>("--to") { Description = "Folder for the rebuilt model.", HelpName = "DIR", Required = true };
        var form = CommonOptions.Word<ModelForm>(
            "--as", ["whole", "peft"],
            "What of a federation with an adapter is written: a whole model, with the adapter merged, or the adapter as PEFT has it. "
                + "[default: peft for LoRA and prompts that are tuned alone, else whole]",
            word => word switch { "whole" => ModelForm.Whole, "peft" => ModelForm.Peft, _ => null });
        var merged = new Option<bool>("--merged") { Description = "The same as --as whole." };
        var force = new Option<bool>("--force") { Description = "Write into a folder that is not empty." };
        var threads = CommonOptions.Number(
            "--threads", "Threads to rebuild with; the bytes do not depend on it. [default: one a core]", 1, 1024);
        var json = CommonOptions.Json();
        var verb = new Command("replay", "Rebuild any version of the model from the log alone.")
        {
            log, source, version, target, form, merged, force, threads, json,
        };
        verb.SetAction((parsed, cancel) => Task.FromResult(Execute(
            new Request(
                parsed.GetRequiredValue(log), parsed.GetRequiredValue(source), parsed.GetValue(version), parsed.GetRequiredValue(target),
                parsed.GetValue(form), parsed.GetValue(merged), parsed.GetValue(force),
                parsed.GetValue(threads) ?? Environment.ProcessorCount, parsed.GetValue(json)),
            parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error, cancel)));
        return verb;
    }

    private sealed record Request(
        FileInfo Log, DirectoryInfo Base, int? Version, DirectoryInfo Target, ModelForm? As, bool Merged, bool Force, int Threads,
        bool Json);

    private static int Execute(Request request, TextWriter output, TextWriter errors, CancellationToken cancel)
    {
        if (Faults(request) is { Count: > 0 } faults)
            throw new UsageException(faults);
        var version = Read(request);
        using var source = Checkpoint.Open(request.Base.FullName);
        version.RequireBase(source, cancel);
        var form = version.FormOf(source, request.Merged ? ModelForm.Whole : request.As);
        // The log does not hold how the model was asked; the folder of the run does. Read first: the target may be that very folder.
        var prompt = Path.Combine(new RunFolder(request.Log.DirectoryName!).Model, ModelPrompt.FileName);
        var ofRun = File.Exists(prompt) ? File.ReadAllBytes(prompt) : null;
        try
        {
            Progress(errors, report => version.Write(source, request.Target.FullName, request.Threads, report, form, cancel));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException && !Directory.Exists(request.Target.FullName))
        {
            throw OwnedFolder.Unwritable(request.Target.FullName, fault);
        }
        if (ofRun is not null)
            Replace(Path.Combine(request.Target.FullName, ModelPrompt.FileName), ofRun);
        output.WriteLine(request.Json
            ? JsonSerializer.Serialize(
                new { version = version.Version, digest = version.Digest, model = request.Target.FullName, form }, CommonOptions.JsonFormat)
            : $"Version {version.Version} is in {request.Target.FullName}"
                + $"{(form == ModelForm.Peft ? ", an adapter of the base as PEFT has it" : "")}; accumulators {version.Digest}.");
        if (ofRun is not null && !request.Json)
            output.WriteLine($"It is asked as the run's own model is: {ModelPrompt.FileName} is that of {Path.GetDirectoryName(prompt)}.");
        return ExitCode.Done;
    }

    private static ReplayedVersion Read(Request request)
    {
        try
        {
            return ReplayedVersion.Read(request.Log.FullName, request.Version);
        }
        catch (InvalidEntryException fault)
        {
            throw new FailureException(CommonOptions.Describe(request.Log, fault));
        }
    }

    private static List<string> Faults(Request request)
    {
        var faults = new List<string>();
        faults.AddRange(UsageException.FaultsOfFile("--log", request.Log));
        if (request is { Merged: true, As: ModelForm.Peft })
            faults.Add("--merged and --as peft exclude each other.");
        if (!request.Base.Exists)
            faults.Add($"--base: there is no folder '{request.Base.FullName}'.");
        else
            faults.AddRange(UsageException.FaultsOf("--base", request.Base.FullName, folder => Checkpoint.Open(folder).Dispose()));
        if (RealPath.Of(request.Target.FullName) == RealPath.Of(request.Base.FullName))
            faults.Add("--to is the base model's folder, which must not be overwritten.");
        else if (Link(request.Target.FullName) is { } link)
            faults.Add($"--to: '{request.Target.FullName}' is a link to '{link}': name the folder itself.");
        else if (!request.Force && request.Target.Exists && request.Target.EnumerateFileSystemInfos().Any())
            faults.Add($"--to: '{request.Target.FullName}' is not empty; --force writes into it all the same.");
        faults.AddRange(UsageException.FaultsOfTarget("--to", request.Target.FullName));
        return faults;
    }

    // Not written to, should it be a link.
    private static void Replace(string path, byte[] bytes)
    {
        File.Delete(path);
        File.WriteAllBytes(path, bytes);
    }

    private static string? Link(string path) => new FileInfo(Path.TrimEndingDirectorySeparator(path)).LinkTarget;

    /// <summary>A bar on a terminal's error stream, nothing elsewhere.</summary>
    internal static void Progress(TextWriter errors, Action<IProgress<RebuildProgress>?> work)
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
