using System.Runtime.CompilerServices;
using System.Text;
using FedKSeed.LogStore;

namespace FedKSeed.RoundService.Api;

/// <param name="From">The first entry to look at; 0 when left out.</param>
/// <param name="Limit">Entries of the answer, 1 to 1000; 100 when left out.</param>
/// <param name="Kind">Only entries of this kind: RoundCommitted.</param>
/// <param name="Client">Only what this client was asked for, reported or is counted in, and when it was barred or readmitted.</param>
/// <param name="Round">Only entries of this round.</param>
/// <param name="Last">Only the last ones of those, 1 to 1000; not together with from.</param>
internal sealed record LogQuery(long? From, int? Limit, string? Kind, string? Client, int? Round, int? Last)
{
    public const int MaximumLimit = 1000, StandardLimit = 100;

    /// <summary>All that is wrong with it.</summary>
    public IEnumerable<string> Faults()
    {
        if (From < 0)
            yield return "from must be at least 0.";
        if (Limit is < 1 or > MaximumLimit)
            yield return $"limit must be between 1 and {MaximumLimit}.";
        if (Last is < 1 or > MaximumLimit)
            yield return $"last must be between 1 and {MaximumLimit}.";
        if (Last is not null && From is not null)
            yield return "from and last are not given together.";
        if (Kind is not null && !LogLine.Kinds.Contains(Kind, StringComparer.Ordinal))
            yield return $"kind must be one of {string.Join(", ", LogLine.Kinds)}.";
    }

    public bool Takes(string line) => LogLine.Is(line, Kind, Client, Round);
}

/// <summary>Logs as they stand in the store, line for line, verified by nobody: that of a broken log is read too.</summary>
internal sealed class LogReader(FederationRegistry registry, FederationBooks books, TimeProvider time, IHostApplicationLifetime life)
{
    /// <summary>Characters of the lines that one request looks at, and of those that it answers with: a second of work.</summary>
    private const long MaximumRead = 64 << 20, MaximumAnswer = 4 << 20;

    private const int Chunk = 256;

    /// <summary>A proxy that hears nothing for longer may close a stream.</summary>
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    public async Task<LogPage> PageAsync(string name, LogQuery query, CancellationToken cancel)
    {
        var log = (await books.OfAsync(name, cancel)).Log;
        var length = await log.LengthAsync(cancel);
        return query.Last is { } last
            ? await LastAsync(log, query, last, length, cancel)
            : await FromAsync(log, query, length, cancel);
    }

    /// <summary>The whole log, as the file that verify and replay read.</summary>
    public static async Task ExportAsync(FederationBook book, Stream to, CancellationToken cancel)
    {
        await using var writer = new StreamWriter(to, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
        await foreach (var line in book.Log.ReadAsync(0, cancel))
            await writer.WriteLineAsync(line.AsMemory(), cancel);
    }

    /// <summary>
    /// Server-sent events: each entry from a position on, as it stands in the log, until the federation is closed, or removed, or the
    /// service ends. Whoever comes back with the last id that it got misses nothing.
    /// </summary>
    public async Task StreamAsync(RegisteredFederation federation, long from, HttpContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, life.ApplicationStopping);
        var response = context.Response;
        (response.ContentType, response.Headers.CacheControl) = ("text/event-stream", "no-cache");
        response.Headers["X-Accel-Buffering"] = "no";
        try
        {
            // Whoever waits for the first event knows at once that it is heard.
            await response.StartAsync(ending.Token);
            await response.Body.FlushAsync(ending.Token);
            await foreach (var sent in EventsAsync(federation, from, ending.Token))
            {
                await response.WriteAsync(sent, ending.Token);
                await response.Body.FlushAsync(ending.Token);
            }
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault))
        {
            // It ends without "closed", and whoever reads it comes back.
        }
    }

    private async IAsyncEnumerable<string> EventsAsync(
        RegisteredFederation federation, long from, [EnumeratorCancellation] CancellationToken cancel)
    {
        var log = books.Of(federation).Log;
        var said = time.GetTimestamp();
        for (var next = from; ;)
        {
            var known = await registry.FindAsync(federation.Name, cancel);
            if (known?.Since != federation.Since)
            {
                yield return Event("removed", "{}");
                yield break;
            }
            var isOver = known.IsClosed;
            await foreach (var line in log.ReadAsync(next, cancel))
            {
                yield return $"id: {next}\ndata: {line}\n\n";
                (isOver, next, said) = (isOver || LogLine.IsLast(line), next + 1, time.GetTimestamp());
            }
            if (isOver)
            {
                yield return Event("closed", "{}");
                yield break;
            }
            if (time.GetElapsedTime(said) >= KeepAlive)
            {
                yield return ": still here\n\n";
                said = time.GetTimestamp();
            }
            await Task.Delay(Interval, time, cancel);
        }
    }

    private static string Event(string name, string data) => $"event: {name}\ndata: {data}\n\n";

    private static async Task<LogPage> FromAsync(RedisFederationLog log, LogQuery query, long length, CancellationToken cancel)
    {
        var from = Math.Min(query.From ?? 0, length);
        var (lines, next, read, answer) = (new List<string>(), from, 0L, 0L);
        if (from == length)
            return new LogPage(lines, from, length, from);
        await foreach (var line in log.ReadAsync(from, cancel))
        {
            next++;
            read += line.Length;
            if (query.Takes(line))
            {
                lines.Add(line);
                answer += line.Length;
            }
            if (next == length || lines.Count == (query.Limit ?? LogQuery.StandardLimit) || read > MaximumRead || answer > MaximumAnswer)
                break;
        }
        return new LogPage(lines, next, length, from);
    }

    /// <summary>From the end backwards, a few hundred entries at a time.</summary>
    private static async Task<LogPage> LastAsync(RedisFederationLog log, LogQuery query, int last, long length, CancellationToken cancel)
    {
        var (found, from, read, answer) = (new List<string>(), length, 0L, 0L);
        while (from > 0 && found.Count < last && read <= MaximumRead && answer <= MaximumAnswer)
        {
            var count = (int)Math.Min(Chunk, from);
            var chunk = await log.ReadAsync(from - count, count, cancel);
            for (var k = chunk.Count - 1; k >= 0 && found.Count < last && answer <= MaximumAnswer; k--)
            {
                from--;
                read += chunk[k].Length;
                if (!query.Takes(chunk[k]))
                    continue;
                found.Add(chunk[k]);
                answer += chunk[k].Length;
            }
            if (chunk.Count < count)
                break; // removed meanwhile
        }
        found.Reverse();
        return new LogPage(found, length, length, from);
    }
}
