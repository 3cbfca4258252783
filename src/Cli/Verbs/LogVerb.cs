using System.CommandLine;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using FedKSeed.Cli.Remote;
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

    private readonly ServerOptions _server = new();
    private readonly Argument<string?> _federation = new("NAME")
    {
        Description = "Name of a federation of a server. [default: the log is a file, --log]",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private readonly Option<FileInfo?> _log = new("--log")
    {
        HelpName = "FILE",
        Description = "The log: events.log of a run. [default: that of NAME]",
    };
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
        verb.Subcommands.Add(Tail(context));
        return verb;
    }

    private Command Show()
    {
        var last = CommonOptions.Number("--last", "Only the last ones, so many.", 1, int.MaxValue);
        var verb = new Command("show", "Show the entries of a log.") { _federation, _log, _kind, _client, _round, last, _json };
        return WithServer(verb, async (parsed, cancel) =>
        {
            if (File(parsed) is { } file)
            {
                using var log = new GrowingLog(file.FullName);
                var entries = New(log, file, parsed, cancel);
                foreach (var entry in parsed.GetValue(last) is { } count ? entries.TakeLast(count) : entries)
                    Write(parsed, entry);
                return ExitCode.Done;
            }
            using var server = Connect(parsed);
            await foreach (var line in LinesAsync(server, parsed, parsed.GetValue(last), cancel))
                Write(parsed, (line, FollowedLog.EntryOf(line)));
            return ExitCode.Done;
        });
    }

    private Command Tail(VerbContext context)
    {
        var last = CommonOptions.Number(
            "--last", $"So many of the entries that are there already. [default: {ShownAtFirst}]", 0, int.MaxValue);
        var verb = new Command("tail", "Show the last entries of a log, then each that is added, until the federation is closed.")
        {
            _federation, _log, _kind, _client, _round, last, _json,
        };
        return WithServer(verb, async (parsed, cancel) =>
        {
            context.Interruption.GoOn = "The federation goes on; the same command follows its log again.";
            var shown = parsed.GetValue(last) ?? ShownAtFirst;
            if (File(parsed) is { } file)
            {
                await TailAsync(file, shown, parsed, cancel);
                return ExitCode.Done;
            }
            using var server = Connect(parsed);
            await TailAsync(server, shown, parsed, cancel);
            return ExitCode.Done;
        });
    }

    private Command WithServer(Command verb, Func<ParseResult, CancellationToken, Task<int>> action)
    {
        foreach (var option in _server.All)
            verb.Options.Add(option);
        verb.SetAction(action);
        return verb;
    }

    private async Task TailAsync(FileInfo file, int shown, ParseResult parsed, CancellationToken cancel)
    {
        using var log = new GrowingLog(file.FullName);
        var isClosed = false;
        foreach (var entry in New(log, file, parsed, cancel, See).TakeLast(shown))
            Write(parsed, entry);
        while (!isClosed)
        {
            await Task.Delay(Interval, cancel);
            foreach (var entry in New(log, file, parsed, cancel, See))
                Write(parsed, entry);
        }

        void See(LogEntry entry) => isClosed |= entry.Event is FederationClosedEntry;
    }

    private async Task TailAsync(FederationServer server, int shown, ParseResult parsed, CancellationToken cancel)
    {
        var name = parsed.GetValue(_federation)!;
        var detail = await server.ShowAsync(name, cancel);
        if (shown > 0)
            await foreach (var line in LinesAsync(server, parsed, shown, cancel))
                if (FollowedLog.EntryOf(line) is var entry && entry.Sequence < detail.LogEntries)
                    Write(parsed, (line, entry));
        if (detail.Summary.Closed is not null)
            return;
        var log = new FollowedLog(server, name, new LogHead(detail.LogEntries, detail.LogHash));
        var isAway = false;
        await foreach (var one in log.FollowAsync(Away, cancel))
            if (IsAskedFor(parsed, one.Entry))
                Write(parsed, one);

        void Away(string? why)
        {
            if (isAway != why is not null)
                parsed.InvocationConfiguration.Error.WriteLine(
                    why is null ? "The server is back." : $"Waiting for the server: {why}");
            isAway = why is not null;
        }
    }

    /// <summary>The file that is asked for; null where it is a federation of a server.</summary>
    /// <exception cref="UsageException">It is not there, or it is not clear what is asked for.</exception>
    private FileInfo? File(ParseResult parsed)
    {
        var (name, file) = (parsed.GetValue(_federation), parsed.GetValue(_log));
        if (name is not null)
            return file is null
                ? null
                : throw new UsageException(["NAME and --log exclude each other: a log is at a server or in a file."]);
        if (file is null)
            throw new UsageException(["NAME or --log is needed: a federation of a server, or the events.log of a run."]);
        if (_server.IsTyped(parsed))
            throw new UsageException(["--server goes with NAME, a federation there."]);
        CommonOptions.RequireFile(file, "--log");
        return file;
    }

    private FederationServer Connect(ParseResult parsed) =>
        _server.Connect(parsed, ServerOptions.FaultOfName("NAME", parsed.GetValue(_federation)!));

    /// <summary>Those that are asked for, of what is there.</summary>
    private IAsyncEnumerable<string> LinesAsync(FederationServer server, ParseResult parsed, int? last, CancellationToken cancel)
    {
        var query = new LogQuery(
            Kind: parsed.GetValue(_kind) is { } kind ? Kinds[kind] : null, Client: parsed.GetValue(_client),
            Round: parsed.GetValue(_round));
        var all = PagesAsync(server, query with { From = 0, Limit = LogQuery.Most }, parsed, cancel);
        return last is not { } count ? all
            : count <= LogQuery.Most ? PagesAsync(server, query with { Last = count }, parsed, cancel)
            // More than a page holds are found by reading all of them.
            : all.TakeLast(count);
    }

    private async IAsyncEnumerable<string> PagesAsync(
        FederationServer server, LogQuery query, ParseResult parsed, [EnumeratorCancellation] CancellationToken cancel)
    {
        while (true)
        {
            var page = await server.LogAsync(parsed.GetValue(_federation)!, query, cancel);
            foreach (var line in page.Lines)
                yield return line;
            if (query.Last is not null || page.Next >= page.Length || page.Next <= query.From)
                yield break;
            query = query with { From = page.Next };
        }
    }

    /// <summary>Those of the new entries that are asked for.</summary>
    /// <param name="see">Is shown all of them.</param>
    private IEnumerable<(string Line, LogEntry Entry)> New(
        GrowingLog log, FileInfo file, ParseResult parsed, CancellationToken cancel, Action<LogEntry>? see = null)
    {
        foreach (var (line, entry) in Checked(log, file))
        {
            cancel.ThrowIfCancellationRequested();
            see?.Invoke(entry);
            if (IsAskedFor(parsed, entry))
                yield return (line, entry);
        }
    }

    private bool IsAskedFor(ParseResult parsed, LogEntry entry)
    {
        var (kind, client, round) = (parsed.GetValue(_kind), parsed.GetValue(_client), parsed.GetValue(_round));
        return (kind is null || Kinds[kind.Value] == EntryLine.KindOf(entry.Event)) && (client is null || Concerns(entry.Event, client))
            && (round is null || RoundOf(entry.Event) == round);
    }

    /// <exception cref="FailureException">A line is not what was once written.</exception>
    private static IEnumerable<(string Line, LogEntry Entry)> Checked(GrowingLog log, FileInfo file)
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
                throw new FailureException(CommonOptions.Describe(file, fault));
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
