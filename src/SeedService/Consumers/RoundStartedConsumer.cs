using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using MassTransit;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Draws the seeds of a round and sends every participant its assignment; a repeat sends those again that wait for a report.</summary>
public sealed class RoundStartedConsumer(FederationBook book, FederationName federation) : IConsumer<RoundStarted>
{
    public async Task Consume(ConsumeContext<RoundStarted> context)
    {
        var started = context.Message;
        if (started.Federation != federation.Value)
            return;
        var state = await book.AppendAsync(
            state => FederationDecisions.StartRound(state, started.Round, started.Participants), context.CancellationToken);
        if (state.Round?.Number != started.Round)
            return;

        var inHand = await book.Log.ReadInHandKeysAsync(context.CancellationToken);
        var model = OutgoingMessages.Model(state);
        var waiting = state.Assignments.Values.Where(assignment =>
            assignment.Key.Round == started.Round && !assignment.IsReported && !inHand.Contains(assignment.Key));
        foreach (var assignment in waiting)
        {
            var client = await context.GetSendEndpoint(federation.AddressOf(assignment.Key.Client));
            await client.Send(OutgoingMessages.Assignment(state.Settings!, model, assignment), context.CancellationToken);
        }
    }
}
