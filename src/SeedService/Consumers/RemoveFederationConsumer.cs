using FedKSeed.Contracts;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Logging;

namespace FedKSeed.SeedService.Consumers;

/// <summary>Deletes all that the store holds of a closed federation. A repeat finds no federation, and is dropped.</summary>
public sealed partial class RemoveFederationConsumer(FederationBooks books, ILogger<RemoveFederationConsumer> log)
    : IConsumer<RemoveFederation>
{
    public async Task Consume(ConsumeContext<RemoveFederation> context)
    {
        var federation = context.Message.Federation;
        var book = await books.OfAsync(federation, context.CancellationToken);
        var state = await book.RefreshAsync(context.CancellationToken);
        if (state.Settings is not null && state.Closed is null)
            throw new FormatException($"federation '{federation}' is not closed: what is open is not removed");
        await books.RemoveAsync(federation, context.CancellationToken);
        Removed(federation, context.Message.Actor, state.Head.Length, state.Head.Hash);
    }

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "{Federation} was removed by {Actor}: its log had {Entries} entries, the last with hash {Hash}")]
    private partial void Removed(string federation, string actor, long entries, string hash);
}
