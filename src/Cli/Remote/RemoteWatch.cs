using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.Observation;
using FedKSeed.RoundService.Api;

namespace FedKSeed.Cli.Remote;

/// <summary>What a federation came to.</summary>
/// <param name="Reports">That commits took in.</param>
/// <param name="Duration">From its opening to its end.</param>
internal sealed record WatchedEnd(FederationClosedEntry Closed, int Rounds, long Reports, TimeSpan Duration);

/// <summary>
/// A federation as it is seen from anywhere: its log, and between two entries what its services say of the open round and of who is alive.
/// A server that goes away is waited for.
/// </summary>
internal sealed class RemoteWatch(FederationServer server, string federation, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    /// <summary>Who is alive changes seldom.</summary>
    private const int PollsPerRollCall = 4;

    /// <summary>Entries that are there for so long and do not come: the connection only looks open.</summary>
    private static readonly TimeSpan LongestLag = TimeSpan.FromSeconds(10);

    private readonly FollowedLog _log = new(server, federation, LogHead.Start);
    private volatile string[] _barred = [];
    private volatile FederationPausedEntry? _paused;
    private volatile string? _away;
    private DateTimeOffset _opened;
    private int _rounds, _steps;
    private long _reports;
    private FederationClosedEntry? _closed;
    private DateTimeOffset _ended;

    /// <summary>Raised for what a plain line is due: somebody steered, the server went or came back.</summary>
    public event Action<string>? Happened;

    /// <summary>What is to be known beside the view.</summary>
    public string Note
    {
        get
        {
            string?[] parts =
            [
                _away is { } why ? $"Waiting for the server: {why}" : null,
                _paused is { } paused ? $"Paused by {paused.Actor}{(paused.Reason.Length > 0 ? $": {paused.Reason}" : "")}." : null,
                _barred is { Length: > 0 } barred ? $"Barred: {string.Join(", ", barred)}." : null,
            ];
            return string.Join(
                ' ', parts.Where(part => part is not null).DefaultIfEmpty("Ctrl-C ends the watching, and nothing else."));
        }
    }

    /// <summary>Reads what there is.</summary>
    /// <exception cref="ServerException">There is no such federation, or the server does not answer.</exception>
    public async Task<FederationWatch> BeginAsync(CancellationToken cancel)
    {
        var detail = await server.ShowAsync(federation, cancel);
        var view = new FederationView { Rounds = detail.Summary.Rounds, IsMeasured = false };
        await foreach (var (_, entry) in _log.ReadAsync(cancel))
        {
            if (See(entry) is { } message)
                view = view.After(message, entry.Time);
        }
        return new FederationWatch(view, time);
    }

    /// <summary>Keeps the watch up to date until the federation is closed.</summary>
    public async Task<WatchedEnd> FollowAsync(FederationWatch watch, CancellationToken cancel)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var polling = PollAsync(watch, ending.Token);
        try
        {
            if (_closed is null)
                await foreach (var (_, entry) in _log.FollowAsync(Away, cancel))
                {
                    if (See(entry) is { } message)
                        watch.Apply(message);
                    if (IsSteered(entry.Event))
                        Happened?.Invoke(EntryLine.Of(entry));
                }
        }
        finally
        {
            await ending.CancelAsync();
            await polling;
        }
        return _closed is { } closed
            ? new WatchedEnd(closed, _rounds, _reports, _ended - _opened)
            : throw new FailureException($"the log of {federation} at {server.Server} ends without an end.");
    }

    private static bool IsSteered(LogEvent happened) =>
        happened is FederationPausedEntry or FederationResumedEntry or ClientBarredEntry or ClientReadmittedEntry;

    private object? See(LogEntry entry)
    {
        switch (entry.Event)
        {
            case FederationOpenedEntry opened:
                (_opened, _steps) = (entry.Time, opened.Settings.StepsPerRound);
                break;
            case RoundStartedEntry started:
                _rounds = started.Round;
                break;
            case RoundCommittedEntry committed:
                _reports += committed.Reports.Count;
                break;
            case FederationPausedEntry paused:
                _paused = paused;
                break;
            case FederationResumedEntry:
                _paused = null;
                break;
            case FederationClosedEntry closed:
                (_closed, _ended) = (closed, entry.Time);
                break;
        }
        return LoggedMessages.Of(federation, _steps, entry.Event);
    }

    private void Away(string? why)
    {
        var before = _away;
        _away = why;
        if ((before is null) != (why is null))
            Happened?.Invoke(why is null ? $"The server at {server.Server} is back." : $"Waiting for the server: {why}");
    }

    /// <summary>Whose report is in hand, who is alive, whose bar is over: what no entry says.</summary>
    private async Task PollAsync(FederationWatch watch, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(Interval, time);
        var (polls, lagging) = (0, (DateTimeOffset?)null);
        try
        {
            do
            {
                try
                {
                    var detail = await server.ShowAsync(federation, cancel);
                    Hear(watch, detail.Round);
                    lagging = detail.LogEntries > _log.Head.Length ? lagging ?? time.GetUtcNow() : null;
                    if (lagging is { } since && time.GetUtcNow() - since > LongestLag)
                    {
                        _log.Renew();
                        lagging = null;
                    }
                    if (polls++ % PollsPerRollCall == 0)
                        Hear(watch, await server.ClientsAsync(federation, cancel));
                }
                catch (ServerException)
                {
                    // Whether it goes on, and what is wrong, is for the log's reader to find out.
                }
            }
            while (await timer.WaitForNextTickAsync(cancel));
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Hear(FederationWatch watch, RoundStatus? round)
    {
        // The log's own entries begin and end a round.
        var view = watch.View;
        if (round is null || round.Number != view.Round)
            return;
        foreach (var name in round.Reported)
            if (view.Clients.TryGetValue(name, out var client) && client.Round == round.Number
                && client.Activity != ClientActivity.Reported)
                watch.Apply(new ReportAccepted
                {
                    Federation = federation,
                    Assignment = new AssignmentKey(round.Number, name, client.Turn),
                    ReportBytes = 0,
                });
    }

    private void Hear(FederationWatch watch, IReadOnlyList<ClientStatus> clients)
    {
        foreach (var client in clients.Where(client => client.IsAlive))
            watch.Apply(new ClientAnnounced { Federation = federation, Client = client.Name, Worker = "", Examples = 0, Device = "" });
        _barred = [.. clients.Where(client => client.Barred is not null).Select(client => client.Name)];
    }
}
