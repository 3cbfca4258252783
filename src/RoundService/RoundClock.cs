using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Options;

namespace FedKSeed.RoundService;

/// <summary>
/// Looks at the book whenever something may have changed, asks <see cref="RoundPolicy"/> what is next, and publishes it. What it
/// published shows in the book; until it does, the same decision is published again at intervals.
/// </summary>
public sealed partial class RoundClock(
    FederationBook book,
    Presence presence,
    WakeUp wakeUp,
    IBus bus,
    FederationName federation,
    IOptions<RoundServiceOptions> options,
    TimeProvider time,
    ILogger<RoundClock> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var last = (Said: "", Length: -1L, At: DateTimeOffset.MinValue);
        // A round that is open at the start was opened by a process before this one, and its assignments may have been lost with it.
        var inherited = (await book.RefreshAsync(stoppingToken)).Round;
        while (!stoppingToken.IsCancellationRequested)
        {
            var state = await book.RefreshAsync(stoppingToken);
            var inHand = await book.Log.ReadInHandKeysAsync(stoppingToken);
            var now = time.GetUtcNow();
            var decision = RoundPolicy.Decide(state, inHand, presence.Alive(), now);
            var said = Describe(decision);
            var isNews = said != last.Said || state.Head.Length != last.Length;
            var isOverdue = decision is not RoundDecision.Wait && now >= last.At + options.Value.RepeatAfter;
            if (isNews || isOverdue)
            {
                if (said != last.Said)
                    Decided(said);
                await PublishAsync(decision, stoppingToken);
                last = (said, state.Head.Length, now);
            }
            if (state.Closed is not null)
                return;
            if (inherited is not null && await AssignAgainAsync(inherited, state, stoppingToken))
                inherited = null;
            await wakeUp.WaitAsync(options.Value.Tick, time, stoppingToken);
        }
    }

    /// <summary>Announces an inherited round again once its clients are back; whoever has its assignment still takes no harm.</summary>
    /// <returns>Whether there is nothing more to do for it.</returns>
    private async Task<bool> AssignAgainAsync(OpenRound inherited, FederationState state, CancellationToken cancel)
    {
        if (state.Round?.Number != inherited.Number)
            return true;
        if (inherited.Participants.Except(presence.Alive()).Any())
            return false;
        await bus.Publish(
            new RoundStarted { Federation = federation.Value, Round = inherited.Number, Participants = inherited.Participants }, cancel);
        return true;
    }

    private Task PublishAsync(RoundDecision decision, CancellationToken cancel) => decision switch
    {
        RoundDecision.Start start => bus.Publish(
            new RoundStarted { Federation = federation.Value, Round = start.Round, Participants = start.Participants }, cancel),
        RoundDecision.Join join => bus.Publish(
            new RoundStarted { Federation = federation.Value, Round = join.Round, Participants = join.Clients }, cancel),
        RoundDecision.Close close => bus.Publish(
            new RoundClosed { Federation = federation.Value, Round = close.Round, Reason = close.Reason.ToString() }, cancel),
        RoundDecision.End end => bus.Publish(
            new CloseFederation { Federation = federation.Value, Reason = end.Reason.ToString(), Version = end.Version }, cancel),
        _ => Task.CompletedTask,
    };

    private static string Describe(RoundDecision decision) => decision switch
    {
        RoundDecision.Start start => $"round {start.Round} starts with {start.Participants.Count} clients",
        RoundDecision.Join join => $"{string.Join(", ", join.Clients)} join round {join.Round}",
        RoundDecision.Close close => $"round {close.Round} closes: {close.Reason}",
        RoundDecision.End end => $"the federation ends: {end.Reason}, version {end.Version}",
        RoundDecision.Wait wait => $"waiting for {wait.For}",
        _ => throw new InvalidOperationException($"{decision.GetType().Name} is no decision of this clock."),
    };

    [LoggerMessage(Level = LogLevel.Debug, Message = "Clock: {Decision}")]
    private partial void Decided(string decision);
}
