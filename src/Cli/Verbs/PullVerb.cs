using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using FedKSeed.Checkpoints;
using FedKSeed.Cli.Remote;
using FedKSeed.Cli.Run;
using FedKSeed.Federation.Log;
using FedKSeed.Versions;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed pull: a federation's log, checked, and the tuned model that it says.</summary>
internal sealed class PullVerb : IVerb
{
    private readonly ServerOptions _server = new();
    private readonly Argument<string> _name = ServerOptions.Federation();
    private readonly Option<DirectoryInfo> _base = new("--base")
    {
        HelpName = "DIR",
        Description = "Folder of the base model.",
        Required = true,
    };
    private readonly Option<DirectoryInfo> _target = new("--to")
    {
        HelpName = "DIR",
        Description = "Folder for events.log and model; of a log that is there already, only what is missing is fetched.",
        Required = true,
    };
    private readonly Option<int?> _version = CommonOptions.Number(
        "--version", "The version to rebuild; 0 is the base. [default: the one that the federation kept, or the last]", 0, int.MaxValue);
    private readonly Option<int?> _threads = CommonOptions.Number(
        "--threads", "Threads to rebuild with; the bytes do not depend on it. [default: one a core]", 1, 1024);
    private readonly Option<bool> _json = CommonOptions.Json();

    public int Place => 33;

    public Command Create(VerbContext context)
    {
        var verb = new Command("pull", "Get a federation's log, check it, and rebuild the tuned model from it.")
        {
            _name, _base, _target, _version, _threads, _json,
        };
        foreach (var option in _server.All)
            verb.Options.Add(option);
        verb.SetAction((parsed, cancel) => ExecuteAsync(parsed, context, cancel));
        return verb;
    }

    private async Task<int> ExecuteAsync(ParseResult parsed, VerbContext context, CancellationToken cancel)
    {
        var name = parsed.GetRequiredValue(_name);
        using var server = _server.Connect(parsed, [ServerOptions.FaultOfName("NAME", name), .. Faults(parsed)]);
        var (target, output) = (parsed.GetRequiredValue(_target).FullName, parsed.InvocationConfiguration.Output);
        using var owned = OwnedFolder.Take(target, "fedkseed pull");
        var folder = new RunFolder(target);
        context.Interruption.GoOn = "What was fetched stays; the same command goes on with it.";
        var fetched = await FetchAsync(server, name, folder, cancel);
        var summary = Checked(folder);
        if (!parsed.GetValue(_json))
        {
            output.WriteLine(
                string.Create(CultureInfo.InvariantCulture, $"{folder.Log}: {fetched} entries fetched, {summary.Entries} in all."));
            output.WriteLine(VerifyVerb.Describe(summary));
        }
        var version = Rebuild(parsed, folder, cancel);
        output.WriteLine(parsed.GetValue(_json)
            ? JsonSerializer.Serialize(
                new { log = summary, fetched, version = version.Version, digest = version.Digest, model = folder.Model },
                CommonOptions.JsonFormat)
            : $"Version {version.Version} is in {folder.Model}; accumulators {version.Digest}.");
        return ExitCode.Done;
    }

    private IEnumerable<string> Faults(ParseResult parsed)
    {
        var (source, target) = (parsed.GetRequiredValue(_base), parsed.GetRequiredValue(_target));
        foreach (var fault in source.Exists
            ? UsageException.FaultsOf("--base", source.FullName, folder => Checkpoint.Open(folder).Dispose())
            : [$"--base: there is no folder '{source.FullName}'."])
            yield return fault;
        foreach (var fault in UsageException.FaultsOfTarget("--to", target.FullName))
            yield return fault;
        var folder = new RunFolder(target.FullName);
        if (RealPath.Of(source.FullName) is var real && (real == RealPath.Of(target.FullName) || real == RealPath.Of(folder.Model)))
            yield return "--to is the base model's folder, which must not be overwritten.";
        else if (target.Exists && target.EnumerateFileSystemInfos().Any(entry => OwnedFolder.IsNoClaim(entry.FullName)
            && entry.FullName != folder.Log && entry.FullName != folder.Model && entry.FullName != Unfinished(folder)))
            yield return $"--to: '{target.FullName}' holds something else than an earlier pull: name another folder.";
    }

    /// <summary>Appends to the file what it lacks, each line checked before it is written.</summary>
    /// <returns>Lines that were fetched.</returns>
    private static async Task<long> FetchAsync(FederationServer server, string name, RunFolder folder, CancellationToken cancel)
    {
        var head = await HeadAsync(server, name, folder, cancel);
        var log = new FollowedLog(server, name, head);
        await using var file = new FileStream(folder.Log, FileMode.Append, FileAccess.Write, FileShare.Read);
        await foreach (var (line, _) in log.ReadAsync(cancel))
            await file.WriteAsync(Encoding.UTF8.GetBytes(line + "\n"), cancel);
        return log.Head.Length - head.Length;
    }

    /// <summary>Where the file ends, which must be a part of the log at the server.</summary>
    private static async Task<LogHead> HeadAsync(FederationServer server, string name, RunFolder folder, CancellationToken cancel)
    {
        var head = LogHead.Start;
        if (File.Exists(folder.Log))
        {
            LogFile.TruncateTornLine(folder.Log);
            try
            {
                foreach (var entry in LogFile.Read(folder.Log))
                    head = new LogHead(entry.Sequence + 1, entry.Hash);
            }
            catch (InvalidEntryException fault)
            {
                throw new FailureException(
                    $"{CommonOptions.Describe(new FileInfo(folder.Log), fault)} Delete it, and all of the log is fetched again.");
            }
        }
        // Before anything is written: whether there is such a federation, too.
        var length = (await server.ShowAsync(name, cancel)).LogEntries;
        if (head.Length == 0)
            return head;
        var last = head.Length > length ? []
            : (await server.LogAsync(name, new LogQuery(head.Length - 1, Limit: 1), cancel)).Lines;
        return last is [var line, ..] && EventLog.HashOf(line) == head.Hash
            ? head
            : throw new FailureException(
                $"'{folder.Log}' is not the beginning of the log of {name} at {server.Server}: it is another federation's. Name another "
                    + "--to.");
    }

    private static LogSummary Checked(RunFolder folder)
    {
        try
        {
            return LogSummary.Of(LogFile.Read(folder.Log));
        }
        catch (InvalidEntryException fault)
        {
            throw new FailureException(CommonOptions.Describe(new FileInfo(folder.Log), fault));
        }
    }

    /// <summary>The model is there whole, or not at all.</summary>
    private ReplayedVersion Rebuild(ParseResult parsed, RunFolder folder, CancellationToken cancel)
    {
        var version = ReplayedVersion.Read(folder.Log, parsed.GetValue(_version));
        using var source = Checkpoint.Open(parsed.GetRequiredValue(_base).FullName);
        version.RequireBase(source, cancel);
        var unfinished = Unfinished(folder);
        if (Directory.Exists(unfinished))
            Directory.Delete(unfinished, recursive: true);
        var threads = parsed.GetValue(_threads) ?? Environment.ProcessorCount;
        ReplayVerb.Progress(
            parsed.InvocationConfiguration.Error, report => version.Write(source, unfinished, threads, report, null, cancel));
        if (Directory.Exists(folder.Model))
            Directory.Delete(folder.Model, recursive: true);
        Directory.Move(unfinished, folder.Model);
        return version;
    }

    private static string Unfinished(RunFolder folder) => folder.Model + ".part";
}
