using System.CommandLine;
using System.Text.Json;
using FedKSeed.Federation;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Cli.Verbs;

/// <summary>What a sound log amounts to.</summary>
/// <param name="Digest">SHA-256 of the accumulators after the last entry.</param>
/// <param name="Closed">Why the federation ended; null for one that has not.</param>
public sealed record LogSummary(
    string Federation, string BaseModelDigest, long Entries, int Rounds, int Versions, long Reports, int Clients, int Evaluations,
    string Digest, string? Closed)
{
    /// <exception cref="InvalidEntryException">The first entry that is wrong.</exception>
    /// <exception cref="FailureException">The log is empty.</exception>
    public static LogSummary Of(IEnumerable<LogEntry> entries)
    {
        var state = new FederationState();
        var (reports, clients) = (0L, new HashSet<string>());
        foreach (var entry in entries)
        {
            state = FederationFold.Apply(state, entry);
            if (entry.Event is ScalarsReportedEntry report)
                reports++;
            if (entry.Event is RoundStartedEntry started)
                clients.UnionWith(started.Participants);
        }
        if (state.Settings is not { } settings)
            throw new FailureException("The log holds no entry.");
        return new LogSummary(
            settings.Name, settings.BaseModelDigest, state.Head.Length, state.LastRound, state.Version, reports, clients.Count,
            state.Evaluations.Count, Accumulators.Digest(state.Accumulators.Span), state.Closed?.Reason.ToString());
    }
}

/// <summary>fedkseed verify: checks the chain of a log and recomputes everything that its entries claim.</summary>
internal static class VerifyVerb
{
    public static Command Create()
    {
        var log = CommonOptions.Log();
        var json = CommonOptions.Json();
        var verb = new Command("verify", "Check a log's hash chain and recompute every assignment and commit in it.") { log, json };
        verb.SetAction(parsed => Execute(
            parsed.GetRequiredValue(log), parsed.GetValue(json), parsed.InvocationConfiguration.Output,
            parsed.InvocationConfiguration.Error));
        return verb;
    }

    private static int Execute(FileInfo log, bool json, TextWriter output, TextWriter errors)
    {
        CommonOptions.RequireFile(log, "--log");
        try
        {
            var summary = LogSummary.Of(LogFile.Read(log.FullName));
            output.WriteLine(
                json ? JsonSerializer.Serialize(new { sound = true, log = summary }, CommonOptions.JsonFormat) : Describe(summary));
            return ExitCode.Done;
        }
        catch (InvalidEntryException fault)
        {
            if (json)
                output.WriteLine(JsonSerializer.Serialize(
                    new { sound = false, entry = fault.Sequence, line = fault.Sequence + 1, reason = fault.Reason },
                        CommonOptions.JsonFormat));
            errors.WriteLine($"fedkseed: {log.Name}: entry {fault.Sequence} (line {fault.Sequence + 1}) is wrong: {fault.Reason}.");
            return ExitCode.Failed;
        }
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
