using FedKSeed.Contracts;
using MassTransit;

namespace FedKSeed.Cli.Display;

/// <summary>Holds the view of a federation and brings it up to date with every message. Safe to call from any thread.</summary>
public sealed class FederationWatch(int rounds, TimeProvider time)
{
    private readonly Lock _lock = new();
    private FederationView _view = new() { Rounds = rounds };

    public FederationView View
    {
        get
        {
            lock (_lock)
                return _view;
        }
    }

    /// <summary>Raised after every message, with the view before and after it.</summary>
    public event Action<FederationView, FederationView>? Changed;

    public void Apply(object message)
    {
        lock (_lock)
        {
            var before = _view;
            _view = before.After(message, time.GetUtcNow());
            Changed?.Invoke(before, _view);
        }
    }
}

/// <summary>Feeds a <see cref="FederationWatch"/> from the bus.</summary>
public sealed class FederationWatchConsumer(FederationWatch watch)
    : IConsumer<ClientAnnounced>, IConsumer<RoundStarted>, IConsumer<LocalProgress>, IConsumer<ReportAccepted>, IConsumer<ReportRejected>,
        IConsumer<RoundCommitted>, IConsumer<ModelEvaluated>, IConsumer<FederationClosed>
{
    public Task Consume(ConsumeContext<ClientAnnounced> context) => Apply(context.Message);

    public Task Consume(ConsumeContext<RoundStarted> context) => Apply(context.Message);

    public Task Consume(ConsumeContext<LocalProgress> context) => Apply(context.Message);

    public Task Consume(ConsumeContext<ReportAccepted> context) => Apply(context.Message);

    public Task Consume(ConsumeContext<ReportRejected> context) => Apply(context.Message);

    public Task Consume(ConsumeContext<RoundCommitted> context) => Apply(context.Message);

    public Task Consume(ConsumeContext<ModelEvaluated> context) => Apply(context.Message);

    public Task Consume(ConsumeContext<FederationClosed> context) => Apply(context.Message);

    private Task Apply(object message)
    {
        watch.Apply(message);
        return Task.CompletedTask;
    }
}

/// <summary>In the order in which they were sent.</summary>
public sealed class FederationWatchConsumerDefinition : ConsumerDefinition<FederationWatchConsumer>
{
    public FederationWatchConsumerDefinition() => ConcurrentMessageLimit = 1;
}
