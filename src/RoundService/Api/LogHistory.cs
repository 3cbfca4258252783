using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text.Json;
using FedKSeed.LogStore;

namespace FedKSeed.RoundService.Api;

/// <param name="Reports">Reports that it took in.</param>
internal sealed record CommitOfLog(int Version, DateTimeOffset At, int Reports, string Digest);

/// <summary>What a log says beyond the state that it folds to.</summary>
/// <param name="Reports">Reports that commits took in, of every client that was ever assigned.</param>
internal sealed record HistoryOfLog(long Length, ImmutableList<CommitOfLog> Commits, ImmutableDictionary<string, int> Reports)
{
    public static HistoryOfLog None { get; } = new(0, [], ImmutableDictionary.Create<string, int>(StringComparer.Ordinal));

    /// <summary>The history after one more line. Pure.</summary>
    public HistoryOfLog After(string line)
    {
        var next = this with { Length = Length + 1 };
        if (LogLine.KindIn(line) is not ("RoundStarted" or "SeedsAssigned" or "RoundCommitted"))
            return next;
        using var entry = JsonDocument.Parse(line);
        var happened = entry.RootElement.GetProperty("event");
        return happened.GetProperty("kind").GetString() switch
        {
            "RoundStarted" => next.With(happened.GetProperty("participants").EnumerateArray().Select(client => client.GetString()!), 0),
            "SeedsAssigned" => next.With([happened.GetProperty("client").GetString()!], 0),
            "RoundCommitted" => next.Committed(entry.RootElement, happened),
            _ => next,
        };
    }

    private HistoryOfLog Committed(JsonElement entry, JsonElement happened)
    {
        var reports = happened.GetProperty("reports");
        var commit = new CommitOfLog(
            happened.GetProperty("version").GetInt32(), entry.GetProperty("time").GetDateTimeOffset(), reports.GetArrayLength(),
            happened.GetProperty("digest").GetString()!);
        return With(reports.EnumerateArray().Select(report => report.GetProperty("client").GetString()!), 1)
            with
        { Commits = Commits.Add(commit) };
    }

    private HistoryOfLog With(IEnumerable<string> clients, int reports)
    {
        var counts = Reports.ToBuilder();
        foreach (var client in clients)
            counts[client] = counts.GetValueOrDefault(client) + reports;
        return this with { Reports = counts.ToImmutable() };
    }
}

/// <summary>The history of one log, brought up to date by reading what was appended since. Safe to call from any thread.</summary>
internal sealed class LogHistory(RedisFederationLog log)
{
    private volatile HistoryOfLog _history = HistoryOfLog.None;

    /// <param name="length">Entries that were folded, and so verified.</param>
    public async Task<HistoryOfLog> UpToAsync(long length, CancellationToken cancel)
    {
        var history = _history;
        if (history.Length >= length)
            return history;
        await foreach (var line in log.ReadAsync(history.Length, cancel))
        {
            history = history.After(line);
            if (history.Length == length)
                break;
        }
        // Of two that read at once one keeps what it read, and the next one goes on from there.
        return _history = history;
    }
}

/// <summary>A history lives as long as its book.</summary>
internal sealed class LogHistories
{
    private readonly ConditionalWeakTable<FederationBook, LogHistory> _byBook = [];

    public LogHistory Of(FederationBook book) => _byBook.GetValue(book, known => new LogHistory(known.Log));
}
