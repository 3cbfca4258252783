using System.Collections.Immutable;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using MassTransit;

namespace FedKSeed.RoundService;

/// <summary>
/// The clock of one federation: looks at the book whenever something may have changed, asks <see cref="RoundPolicy"/> what is next, and
/// publishes it. What it published shows in the book; until it does, the same decision is published again at intervals. Of several
/// instances the one with the lease does so, the others look on.
/// </summary>
/// <param name="isOurs">Whether this instance should have the clock: see <see cref="ClockInstances"/>.</param>
/// <param name="instanceSince">Since when this instance hears of clients.</param>
public sealed partial class RoundClock(
    string federation,
    FederationBook book,
    RedisPresence presence,
    Func<bool> isOurs,
    DateTimeOffset instanceSince,
    WakeUp wakeUp,
    IBus bus,
    FederationGauges gauges,
    RoundServiceOptions options,
    TimeProvider time,
    ILogger<RoundClock> log)
{
    /// <summary>What the end of a service may take longer for it: the next one has the clock sooner.</summary>
    private static readonly TimeSpan GiveBackPatience = TimeSpan.FromSeconds(2);

    private Announcement _last = Announcement.None;
    private string _told = "";
    private bool _isAway;
    private ImmutableHashSet<string>? _here;
    private Inheritance? _inherited;
    private bool _hasClock;

    /// <summary>Goes on until the federation is closed, or the service ends.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        try
        {
            for (var isOpen = true; isOpen && !cancel.IsCancellationRequested;)
            {
                isOpen = await TryTickAsync(cancel);
                if (isOpen)
                    await wakeUp.WaitAsync(options.Tick, time, cancel);
            }
        }
        finally
        {
            await GiveBackAsync();
        }
    }

    private async Task GiveBackAsync()
    {
        gauges.Forget(federation);
        if (!_hasClock)
            return;
        _hasClock = false;
        using var patience = new CancellationTokenSource(GiveBackPatience, time);
        try
        {
            await presence.ReleaseClockAsync(patience.Token);
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault)
            || fault is ObjectDisposedException or OperationCanceledException)
        {
            LeftTheClock(federation); // the lease lapses by itself
        }
    }

    /// <summary>One look. A store or a broker that is away is waited for, and a log that is wrong until somebody mended it.</summary>
    /// <returns>False when the federation is closed.</returns>
    private async Task<bool> TryTickAsync(CancellationToken cancel)
    {
        // A publish blocks while the broker is away.
        using var timeout = new CancellationTokenSource(options.RepeatAfter, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
        try
        {
            var goesOn = !await TakeClockAsync(either.Token) || await TickAsync(either.Token);
            if (_isAway)
                Back(federation);
            _isAway = false;
            return goesOn;
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault) || FederationBus.IsBusAway(fault)
            || (fault is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            _last = Announcement.None;
            if (!_isAway)
                Away(federation, LogStoreRegistration.WhyAway(fault));
            _isAway = true;
            return true;
        }
        catch (InvalidEntryException fault)
        {
            // The other federations of this service are none the worse for it.
            if (!_isAway)
                Broken(federation, fault.Sequence, fault.Reason);
            _isAway = true;
            return true;
        }
    }

    /// <summary>
    /// A round that is open when the clock is taken was opened by another instance, and its assignments may have been lost with it.
    /// </summary>
    private async Task<bool> TakeClockAsync(CancellationToken cancel)
    {
        if (!isOurs())
        {
            await GiveBackAsync();
            return false;
        }
        var had = _hasClock;
        _hasClock = await presence.HoldClockAsync(options.ClockLease, cancel);
        if (!_hasClock)
            gauges.Forget(federation);
        if (_hasClock && !had)
        {
            var state = await book.RefreshAsync(cancel);
            var round = state.Round;
            _inherited = round is null ? null : new Inheritance(round.Number, [.. round.Participants]);
            _last = Announcement.None;
            // Who was there before is the other instance's to tell.
            _here = [.. await presence.AliveAsync(options.ClientTimeout, cancel)];
            Took(federation, state.Version, state.Head.Length, _here.Count);
        }
        return _hasClock;
    }

    /// <returns>False when the federation is closed: there is nothing more to decide.</returns>
    private async Task<bool> TickAsync(CancellationToken cancel)
    {
        var state = await book.RefreshAsync(cancel);
        var inHand = await book.Log.ReadInHandKeysAsync(cancel);
        var alive = await presence.AliveAsync(options.ClientTimeout, cancel);
        var now = time.GetUtcNow();
        var decision = RoundPolicy.Decide(state, inHand, alive, now);
        TellOfClients(alive);
        gauges.Set(federation, FederationReading.Of(state, alive.Count, inHand.Count));
        var said = Describe(decision);
        Tell(decision, said);
        if (said != _last.Said || state.Head.Length != _last.Length || now >= _last.At + options.RepeatAfter)
        {
            await PublishAsync(decision, cancel);
            _last = new Announcement(said, state.Head.Length, now);
        }
        if (_inherited is not null)
            _inherited = await AssignAgainAsync(_inherited, state, cancel);
        if (state.Closed is { } closed)
            Closed(federation, closed.Reason, closed.Version);
        return state.Closed is null;
    }

    /// <summary>One line for what starts, closes or ends, however often it is decided again; waiting is for the curious.</summary>
    private void Tell(RoundDecision decision, string said)
    {
        if (decision is RoundDecision.Wait or RoundDecision.Join)
        {
            if (said != _last.Said)
                Considered(federation, said);
        }
        else if (said != _told)
        {
            Decided(federation, said);
            _told = said;
        }
    }

    private void TellOfClients(IReadOnlyList<string> alive)
    {
        var now = alive.ToImmutableHashSet(StringComparer.Ordinal);
        var before = _here ?? [];
        foreach (var client in now.Except(before))
            Came(federation, client, now.Count);
        foreach (var client in before.Except(now))
            Went(federation, client, options.ClientTimeout.TotalSeconds, now.Count);
        _here = now;
    }

    /// <summary>
    /// Announces an inherited round again to each of its clients that was heard of since this instance started: with all other queues the
    /// client's own may have been lost, and what was heard of it before says nothing of that. Whoever has its assignment still takes no
    /// harm.
    /// </summary>
    /// <returns>What is left to do; null when there is nothing.</returns>
    private async Task<Inheritance?> AssignAgainAsync(Inheritance inherited, FederationState state, CancellationToken cancel)
    {
        if (state.Round?.Number != inherited.Round || inherited.Clients.IsEmpty)
            return null;
        var back = inherited.Clients.Intersect(await presence.HeardSinceAsync(instanceSince, cancel));
        if (!back.IsEmpty)
            await PublishAsync(new RoundDecision.Start(inherited.Round, [.. back.Order(StringComparer.Ordinal)]), cancel);
        return inherited with { Clients = inherited.Clients.Except(back) };
    }

    private async Task PublishAsync(RoundDecision decision, CancellationToken cancel)
    {
        // What a decision leads to in the other services belongs to the same trace.
        using var trace = RoundOf(decision) is { } round ? RoundTrace.Start(federation, round, "decision") : null;
        await SendAsync(decision, cancel);
    }

    private static int? RoundOf(RoundDecision decision) => decision switch
    {
        RoundDecision.Start start => start.Round,
        RoundDecision.Join join => join.Round,
        RoundDecision.Close close => close.Round,
        _ => null,
    };

    private Task SendAsync(RoundDecision decision, CancellationToken cancel) => decision switch
    {
        RoundDecision.Start start => AnnounceAsync(
            new RoundStarted { Federation = federation, Round = start.Round, Participants = start.Participants }, cancel),
        RoundDecision.Join join => AnnounceAsync(
            new RoundStarted { Federation = federation, Round = join.Round, Participants = join.Clients }, cancel),
        RoundDecision.Close close => AnnounceAsync(
            new RoundClosed { Federation = federation, Round = close.Round, Reason = close.Reason.ToString() }, cancel),
        RoundDecision.End end => AnnounceAsync(
            new CloseFederation { Federation = federation, Reason = end.Reason.ToString(), Version = end.Version }, cancel),
        _ => Task.CompletedTask,
    };

    /// <summary>
    /// What waited for three repeats is not needed any more: while SeedService is away, its queues hold no more than these.
    /// </summary>
    private Task AnnounceAsync<T>(T message, CancellationToken cancel) where T : class =>
        bus.PublishInTimeAsync(message, 3 * options.RepeatAfter, cancel);

    private static string Describe(RoundDecision decision) => decision switch
    {
        RoundDecision.Start start => $"round {start.Round} starts with {start.Participants.Count} clients",
        RoundDecision.Join join => $"{string.Join(", ", join.Clients)} join round {join.Round}",
        RoundDecision.Close close => $"round {close.Round} closes: {close.Reason}",
        RoundDecision.End end => $"the federation ends: {end.Reason}, version {end.Version}",
        RoundDecision.Wait wait => $"waiting for {wait.For}",
        _ => throw new InvalidOperationException($"{decision.GetType().Name} is no decision of this clock."),
    };

    /// <summary>A round that was open when this instance took the clock, and its clients that were not assigned again.</summary>
    private sealed record Inheritance(int Round, ImmutableHashSet<string> Clients);

    private sealed record Announcement(string Said, long Length, DateTimeOffset At)
    {
        public static Announcement None { get; } = new("", -1, DateTimeOffset.MinValue);
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Federation}: this instance has the clock, at version {Version}, {Entries} entries; {Clients} clients are here")]
    private partial void Took(string federation, int version, long entries, int clients);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Federation}: the clock waits for its store or broker: {Reason}")]
    private partial void Away(string federation, string reason);

    [LoggerMessage(
        Level = LogLevel.Critical,
        Message = "{Federation}: the clock stands still. Entry {Sequence} of the log is wrong: {Reason}")]
    private partial void Broken(string federation, long sequence, string reason);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Federation}: the clock was not given back: its lease lapses")]
    private partial void LeftTheClock(string federation);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Federation}: the clock goes on")]
    private partial void Back(string federation);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Federation}: {Client} came, {Here} clients are here")]
    private partial void Came(string federation, string client, int here);

    [LoggerMessage(
        Level = LogLevel.Information, Message = "{Federation}: {Client} went, unheard of for {Seconds} s, {Here} clients are here")]
    private partial void Went(string federation, string client, double seconds, int here);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Federation}: {Decision}")]
    private partial void Decided(string federation, string decision);

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Federation}: {Decision}")]
    private partial void Considered(string federation, string decision);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Federation {Federation} is closed: {Reason}, version {Version} is kept; there is nothing more to decide")]
    private partial void Closed(string federation, FederationEnd reason, int version);
}
