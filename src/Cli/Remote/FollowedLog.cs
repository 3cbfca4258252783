using System.Runtime.CompilerServices;
using System.Text.Json;
using FedKSeed.Federation.Log;

namespace FedKSeed.Cli.Remote;

/// <summary>
/// A federation's log, read from its services: each line is checked against the one before it. Not safe to call from several threads, but
/// for <see cref="Renew"/>.
/// </summary>
/// <param name="head">What is known already: reading goes on behind it.</param>
internal sealed class FollowedLog(FederationServer server, string federation, LogHead head)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private CancellationTokenSource? _connection;

    public LogHead Head { get; private set; } = head;

    /// <summary>What is there now: from the beginning in one stream, from later on by the page.</summary>
    /// <exception cref="FailureException">A line does not follow from those before it.</exception>
    public async IAsyncEnumerable<(string Line, LogEntry Entry)> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        if (Head.Length == 0)
            await foreach (var line in server.ExportAsync(federation, cancel))
                yield return (line, Next(line));
        while (true)
        {
            var page = await server.LogAsync(federation, new LogQuery(Head.Length, Limit: LogQuery.Most), cancel);
            foreach (var line in page.Lines)
                yield return (line, Next(line));
            if (page.Lines.Count == 0 || Head.Length >= page.Length)
                yield break;
        }
    }

    /// <summary>What is written from now on, until the federation is closed. A server that goes away is waited for.</summary>
    /// <param name="away">Is told why nothing comes, and, with null, that it goes on.</param>
    /// <exception cref="FailureException">A line does not follow from those before it.</exception>
    /// <exception cref="ServerException">The server refuses.</exception>
    public async IAsyncEnumerable<(string Line, LogEntry Entry)> FollowAsync(
        Action<string?> away, [EnumeratorCancellation] CancellationToken cancel)
    {
        while (true)
        {
            using var connection = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            lock (_lock)
                _connection = connection;
            await using var lines = server.LiveAsync(federation, Head.Length, connection.Token).GetAsyncEnumerator(connection.Token);
            while (await HasNextAsync(lines, away, cancel))
            {
                if (lines.Current.Line is not { } line)
                    yield break;
                var entry = Next(line);
                yield return (line, entry);
                if (entry.Event is FederationClosedEntry)
                    yield break;
            }
            lock (_lock)
                _connection = null;
            await Task.Delay(Pause, cancel);
        }
    }

    /// <summary>Gives up the connection that lines come by, which may only look open: another one is made.</summary>
    public void Renew()
    {
        lock (_lock)
            _connection?.Cancel();
    }

    private static async Task<bool> HasNextAsync(IAsyncEnumerator<LiveLine> lines, Action<string?> away, CancellationToken cancel)
    {
        try
        {
            var has = await lines.MoveNextAsync();
            if (has)
                away(null);
            return has;
        }
        catch (ServerException fault) when (fault.IsAway)
        {
            away(fault.Message);
            return false;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    private LogEntry Next(string line)
    {
        try
        {
            var entry = EventLog.Read(Head, line);
            Head = new LogHead(entry.Sequence + 1, entry.Hash);
            return entry;
        }
        catch (InvalidEntryException fault)
        {
            throw new FailureException($"the log of {federation} at {server.Server}: entry {fault.Sequence} is wrong: {fault.Reason}.");
        }
    }

    /// <summary>A line of which those before it are not at hand: what it says is believed.</summary>
    /// <exception cref="FailureException">It is no entry.</exception>
    public static LogEntry EntryOf(string line)
    {
        try
        {
            // The first one may be in an older form, which its reader knows.
            return line.StartsWith("""{"sequence":0,""", StringComparison.Ordinal)
                ? EventLog.Read(LogHead.Start, line)
                : JsonSerializer.Deserialize<LogEntry>(line, EventLog.Json) ?? throw new JsonException("it is null.");
        }
        catch (Exception fault) when (fault is JsonException or NotSupportedException or InvalidEntryException)
        {
            throw new FailureException($"the server sends a line that is no entry of a log: {fault.Message}");
        }
    }
}
