using FedKSeed.Contracts;
using FedKSeed.Observation;
using MassTransit;

namespace FedKSeed.Cli.Run;

/// <summary>Feeds a <see cref="FederationWatch"/> from the bus.</summary>
public sealed class FederationWatchConsumer(FederationWatch watch, RecordedFederation federation)
    : IConsumer<ClientAnnounced>, IConsumer<RoundStarted>, IConsumer<LocalProgress>, IConsumer<ReportAccepted>, IConsumer<ReportRejected>,
        IConsumer<RoundCommitted>, IConsumer<ModelEvaluated>, IConsumer<FederationClosed>
{
    public Task Consume(ConsumeContext<ClientAnnounced> context) => Apply(context.Message.Federation, context.Message);

    public Task Consume(ConsumeContext<RoundStarted> context) => Apply(context.Message.Federation, context.Message);

    public Task Consume(ConsumeContext<LocalProgress> context) => Apply(context.Message.Federation, context.Message);

    public Task Consume(ConsumeContext<ReportAccepted> context) => Apply(context.Message.Federation, context.Message);

    public Task Consume(ConsumeContext<ReportRejected> context) => Apply(context.Message.Federation, context.Message);

    public Task Consume(ConsumeContext<RoundCommitted> context) => Apply(context.Message.Federation, context.Message);

    public Task Consume(ConsumeContext<ModelEvaluated> context) => Apply(context.Message.Federation, context.Message);

    public Task Consume(ConsumeContext<FederationClosed> context) => Apply(context.Message.Federation, context.Message);

    private Task Apply(string of, object message)
    {
        if (of == federation.Name)
            watch.Apply(message);
        return Task.CompletedTask;
    }
}

/// <summary>In the order in which they were sent.</summary>
public sealed class FederationWatchConsumerDefinition : ConsumerDefinition<FederationWatchConsumer>
{
    public FederationWatchConsumerDefinition() => ConcurrentMessageLimit = 1;
}
