using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.LogStore;
using MassTransit;

namespace FedKSeed.RoundService;

/// <summary>Notes who is alive.</summary>
public sealed class ClientAnnouncedConsumer(RedisPresence presence, WakeUp wakeUp, FederationName federation) : IConsumer<ClientAnnounced>
{
    public async Task Consume(ConsumeContext<ClientAnnounced> context)
    {
        if (context.Message.Federation != federation.Value)
            return;
        Names.RequireClient(context.Message.Client);
        await presence.HeardAsync(context.Message.Client);
        wakeUp.Now();
    }
}

/// <summary>
/// Wakes the clock when the book has news. The clock reads the book, never these messages, so one that is lost or comes twice
/// changes nothing but how soon the clock looks.
/// </summary>
public sealed class ProgressConsumer(WakeUp wakeUp)
    : IConsumer<ReportAccepted>, IConsumer<RoundCommitted>, IConsumer<ModelEvaluated>
{
    public Task Consume(ConsumeContext<ReportAccepted> context) => Wake();

    public Task Consume(ConsumeContext<RoundCommitted> context) => Wake();

    public Task Consume(ConsumeContext<ModelEvaluated> context) => Wake();

    private Task Wake()
    {
        wakeUp.Now();
        return Task.CompletedTask;
    }
}
