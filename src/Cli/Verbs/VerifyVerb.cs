using System.CommandLine;
using System.Text.Json;
using FedKSeed.Checkpoints;
using FedKSeed.Federation.Log;
using FedKSeed.Versions;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed verify: checks the chain of a log and recomputes everything that its entries claim.</summary>
internal sealed class VerifyVerb : IVerb
{
    public int Place => 40;

    public Command Create(VerbContext context)
    {
        var log = CommonOptions.Log();
        var source = new Option<DirectoryInfo?>("--base")
        {
            Description = "Base model: what the log says of it, of the tensors that are tuned and of an adapter is checked too.",
            HelpName = "DIR",
        };
        var json = CommonOptions.Json();
        var verb = new Command("verify", "Check a log's hash chain and recompute every assignment and commit in it.") { log, source, json };
        verb.SetAction((parsed, cancel) => Task.FromResult(Execute(
            parsed.GetRequiredValue(log), parsed.GetValue(source), parsed.GetValue(json), parsed.InvocationConfiguration.Output,
            parsed.InvocationConfiguration.Error, cancel)));
        return verb;
    }

    private static int Execute(
        FileInfo log, DirectoryInfo? source, bool json, TextWriter output, TextWriter errors, CancellationToken cancel)
    {
        var faults = UsageException.FaultsOfFile("--log", log).Concat(source is null
            ? []
            : UsageException.FaultsOf("--base", source.FullName, folder => Checkpoint.Open(folder).Dispose()));
        if (faults.ToArray() is { Length: > 0 } wrong)
            throw new UsageException(wrong);
        try
        {
            var summary = LogSummary.Of(LogFile.Read(log.FullName).TakeWhile(_ => Goes(cancel)));
            if (source is not null)
                RequireBase(log, source, cancel);
            output.WriteLine(
                json ? JsonSerializer.Serialize(new { sound = true, log = summary }, CommonOptions.JsonFormat) : Describe(summary));
            return ExitCode.Done;
        }
        catch (VersionException fault)
        {
            throw new FailureException($"{log.Name}: {fault.Message}");
        }
        catch (InvalidEntryException fault)
        {
            if (json)
                output.WriteLine(JsonSerializer.Serialize(
                    new { sound = false, entry = fault.Sequence, line = fault.Sequence + 1, reason = fault.Reason },
                        CommonOptions.JsonFormat));
            errors.WriteLine($"fedkseed: {CommonOptions.Describe(log, fault)}");
            return ExitCode.Failed;
        }
    }

    /// <summary>That the first entry says of the base what is true of it.</summary>
    /// <exception cref="InvalidEntryException">It does not.</exception>
    private static void RequireBase(FileInfo log, DirectoryInfo source, CancellationToken cancel)
    {
        using var checkpoint = Checkpoint.Open(source.FullName);
        try
        {
            ReplayedVersion.Read(log.FullName, 0).RequireBase(checkpoint, cancel);
        }
        catch (VersionException fault)
        {
            throw new InvalidEntryException(0, fault.Message.TrimEnd('.'));
        }
    }

    private static bool Goes(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return true;
    }

    internal static string Describe(LogSummary summary) =>
        $"""
        The log is sound.
          federation   {summary.Federation} ({(summary.Closed is { } reason ? $"closed: {reason}" : "not closed")})
          base model   {summary.BaseModelDigest}
          entries      {summary.Entries}
          rounds       {summary.Rounds}
          versions     {summary.Versions}
          reports      {summary.Reports} of {summary.Clients} clients
          evaluations  {summary.Evaluations}
          accumulators {summary.Digest}
        """;
}
