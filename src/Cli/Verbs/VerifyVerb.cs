using System.CommandLine;
using System.Text.Json;
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
        var json = CommonOptions.Json();
        var verb = new Command("verify", "Check a log's hash chain and recompute every assignment and commit in it.") { log, json };
        verb.SetAction((parsed, cancel) => Task.FromResult(Execute(
            parsed.GetRequiredValue(log), parsed.GetValue(json), parsed.InvocationConfiguration.Output,
            parsed.InvocationConfiguration.Error, cancel)));
        return verb;
    }

    private static int Execute(FileInfo log, bool json, TextWriter output, TextWriter errors, CancellationToken cancel)
    {
        CommonOptions.RequireFile(log, "--log");
        try
        {
            var summary = LogSummary.Of(LogFile.Read(log.FullName).TakeWhile(_ => Goes(cancel)));
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

    private static bool Goes(CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return true;
    }

    private static string Describe(LogSummary summary) =>
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
