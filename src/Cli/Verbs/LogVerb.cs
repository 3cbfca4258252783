using System.CommandLine;
using System.Reflection;
using System.Text.Json.Serialization;
using FedKSeed.Federation.Log;
using FedKSeed.Observation;
using FedKSeed.Versions;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed log: what happened in a federation, entry by entry.</summary>
internal sealed class LogVerb : IVerb
{
    private const int ShownAtFirst = 10;

    /// <summary>As the log's JSON names them.</summary>
    private static readonly string[] Kinds =
        [.. typeof(LogEvent).GetCustomAttributes<JsonDerivedTypeAttribute>().Select(kind => (string)kind.TypeDiscriminator!)];

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(300);

    private readonly Option<FileInfo> _log = CommonOptions.Log();
    private readonly Option<int?> _kind = CommonOptions.Word<int>(
        "--kind", Kinds, "Only entries of this kind.", word => Array.IndexOf(Kinds, word) is >= 0 and var kind ? kind : null);
    private readonly Option<string?> _client = new("--client")
    {
        HelpName = "NAME",
        Description = "Only what this client was asked for, reported or is counted in, and when it was barred or readmitted.",
    };
    private readonly Option<int?> _round = CommonOptions.Number("--round", "Only entries of this round.", 1, int.MaxValue);
    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print the entries as they stand in the log, a line of JSON each.",
    };

    public int Place => 45;

    public Command Create(VerbContext context)
    {
        var verb = new Command("log", "Show what happened in a federation, entry by entry.");
        verb.Subcommands.Add(Show());
        verb.Subcommands.Add(Tail());
        return verb;
    }

    private Command Show()
    {
        var last = CommonOptions.Number("--last", "Only the last ones, so many.", 1, int.MaxValue);
        var verb = new Command("show", "Show the entries of a log.") { _log, _kind, _client, _round, last, _json };
        verb.SetAction((parsed, cancel) =>
        {
            using var log = Open(parsed);
            var entries = New(log, parsed, cancel);
            foreach (var entry in parsed.GetValue(last) is { } count ? entries.TakeLast(count) : entries)
                Write(parsed, entry);
            return Task.FromResult(ExitCode.Done);
        });
        return verb;
    }

    private Command Tail()
    {
        var last = CommonOptions.Number(
            "--last", $"So many of the entries that are there already. [default: {ShownAtFirst}]", 0, int.MaxValue);
        var verb = new Command("tail", "Show the last entries of a log, then each that is added, until the federation is closed.")
        {
            _log, _kind, _client, _round, last, _json,
        };
        verb.SetAction(async (parsed, cancel) =>
        {
            using var log = Open(parsed);
            var isClosed = false;
            foreach (var entry in New(log, parsed, cancel, See).TakeLast(parsed.GetValue(last) ?? ShownAtFirst))
                Write(parsed, entry);
            while (!isClosed)
            {
                await Task.Delay(Interval, cancel);
                foreach (var entry in New(log, parsed, cancel, See))
                    Write(parsed, entry);
            }
            return ExitCode.Done;

            void See(LogEntry entry) => isClosed |= entry.Event is FederationClosedEntry;
        });
        return verb;
    }

    private GrowingLog Open(ParseResult parsed)
    {
        var file = parsed.GetRequiredValue(_log);
        CommonOptions.RequireFile(file, "--log");
        return new GrowingLog(file.FullName);
    }

    /// <summary>Those of the new entries that are asked for.</summary>
    /// <param name="see">Is shown all of them.</param>
    private IEnumerable<(string Line, LogEntry Entry)> New(
        GrowingLog log, ParseResult parsed, CancellationToken cancel, Action<LogEntry>? see = null)
    {
        var (kind, client, round) = (parsed.GetValue(_kind), parsed.GetValue(_client), parsed.GetValue(_round));
        foreach (var (line, entry) in Checked(log, parsed))
        {
            cancel.ThrowIfCancellationRequested();
            see?.Invoke(entry);
            if ((kind is null || Kinds[kind.Value] == EntryLine.KindOf(entry.Event)) && (client is null || Concerns(entry.Event, client))
                && (round is null || RoundOf(entry.Event) == round))
                yield return (line, entry);
        }
    }

    /// <exception cref="FailureException">A line is not what was once written.</exception>
    private IEnumerable<(string Line, LogEntry Entry)> Checked(GrowingLog log, ParseResult parsed)
    {
        using var lines = log.ReadNew().GetEnumerator();
        while (true)
        {
            try
            {
                if (!lines.MoveNext())
                    yield break;
            }
            catch (InvalidEntryException fault)
            {
                throw new FailureException(CommonOptions.Describe(parsed.GetRequiredValue(_log), fault));
            }
            yield return lines.Current;
        }
    }

    private static bool Concerns(LogEvent happened, string client) => happened switch
    {
        RoundStartedEntry started => started.Participants.Contains(client),
        SeedsAssignedEntry assigned => assigned.Client == client,
        ScalarsReportedEntry reported => reported.Client == client,
        RoundCommittedEntry committed => committed.Reports.Any(report => report.Client == client),
        ClientBarredEntry barred => barred.Client == client,
        ClientReadmittedEntry readmitted => readmitted.Client == client,
        _ => false,
    };

    private static int? RoundOf(LogEvent happened) => happened switch
    {
        RoundStartedEntry started => started.Round,
        SeedsAssignedEntry assigned => assigned.Round,
        ScalarsReportedEntry reported => reported.Round,
        RoundCommittedEntry committed => committed.Round,
        _ => null,
    };

    private void Write(ParseResult parsed, (string Line, LogEntry Entry) one) =>
        parsed.InvocationConfiguration.Output.WriteLine(parsed.GetValue(_json) ? one.Line : EntryLine.Of(one.Entry));
}
