using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Writes the last entry of the log; a repeat announces it again.</summary>
public sealed partial class CloseFederationConsumer(
    FederationBooks books, FederationRegistry registry, ILogger<CloseFederationConsumer> log)
    : IConsumer<CloseFederation>
{
    public async Task Consume(ConsumeContext<CloseFederation> context)
    {
        var close = context.Message;
        var reason = IncomingMessages.Reason<FederationEnd>(close.Reason);
        var book = await books.OfAsync(close.Federation, context.CancellationToken);
        IReadOnlyList<LogEvent> written = [];
        var state = await book.AppendWithReportsAsync(
            (state, inHand, now) => written = close.Actor is { } actor
                ? FederationDecisions.Stop(state, actor, inHand, now, close.Why ?? "")
                : FederationDecisions.Close(state, reason, close.Version ?? state.KeptVersion, inHand, now),
            context.CancellationToken);
        if (written.Count > 0)
            Closed(close.Federation, state.Closed!.Reason, state.Closed.Version, state.Closed.Actor ?? "its settings", written.Count - 1);
        if (state.Closed is not { } closed)
            return;
        if (await registry.FindAsync(close.Federation, context.CancellationToken) is { } registered)
            await registry.CloseAsync(registered, context.CancellationToken);
        await context.PublishInTimeAsync(
            new FederationClosed { Federation = close.Federation, Reason = closed.Reason.ToString(), Version = closed.Version },
            context.CancellationToken);
    }

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "{Federation} is closed by {Actor}: {Reason}; version {Version} is kept, {Entries} entries were written before its last")]
    private partial void Closed(string federation, FederationEnd reason, int version, string actor, int entries);
}
