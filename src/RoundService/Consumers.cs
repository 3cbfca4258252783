using FedKSeed.Contracts;
using FedKSeed.LogStore;
using MassTransit;

namespace FedKSeed.RoundService;

/// <summary>Notes who is alive.</summary>
public sealed class ClientAnnouncedConsumer(RedisPresences presences, WakeUps wakeUps) : IConsumer<ClientAnnounced>
{
    public async Task Consume(ConsumeContext<ClientAnnounced> context)
    {
        Names.RequireClient(context.Message.Client);
        await presences.Of(context.Message.Federation).HeardAsync(context.Message.Client);
        wakeUps.Now(context.Message.Federation);
    }
}

/// <summary>
/// Wakes a clock when its book has news. The clock reads the book, never these messages, so one that is lost or comes twice
/// changes nothing but how soon the clock looks.
/// </summary>
public sealed class ProgressConsumer(WakeUps wakeUps)
    : IConsumer<FederationOpened>, IConsumer<ReportAccepted>, IConsumer<RoundCommitted>, IConsumer<ModelEvaluated>
{
    public Task Consume(ConsumeContext<FederationOpened> context) => Wake(context.Message.Federation);

    public Task Consume(ConsumeContext<ReportAccepted> context) => Wake(context.Message.Federation);

    public Task Consume(ConsumeContext<RoundCommitted> context) => Wake(context.Message.Federation);

    public Task Consume(ConsumeContext<ModelEvaluated> context) => Wake(context.Message.Federation);

    private Task Wake(string federation)
    {
        wakeUps.Now(federation);
        return Task.CompletedTask;
    }
}
