using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using MassTransit;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Writes the last entry of the log; a repeat announces it again.</summary>
public sealed class CloseFederationConsumer(FederationBook book, FederationName federation) : IConsumer<CloseFederation>
{
    public async Task Consume(ConsumeContext<CloseFederation> context)
    {
        var close = context.Message;
        if (close.Federation != federation.Value)
            return;
        var reason = IncomingMessages.Reason<FederationEnd>(close.Reason);
        var state = await book.AppendWithReportsAsync(
            (state, inHand) => FederationDecisions.Close(state, reason, close.Version, inHand), context.CancellationToken);
        if (state.Closed is { } closed)
            await context.PublishInTimeAsync(
                new FederationClosed { Federation = close.Federation, Reason = closed.Reason.ToString(), Version = closed.Version },
                context.CancellationToken);
    }
}
