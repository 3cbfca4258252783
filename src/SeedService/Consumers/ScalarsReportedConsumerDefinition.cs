using FedKSeed.Bus;
using MassTransit;

namespace FedKSeed.SeedService.Consumers;

/// <summary>
/// Reports come in hundreds at once, and those that are under way together share one write to the log's store: enough of them are held
/// to fill a write while the one before it waits for the disk. A report that was confirmed is never dropped for a newer one.
/// </summary>
public sealed class ScalarsReportedConsumerDefinition : ConsumerDefinition<ScalarsReportedConsumer>
{
    private const int ReportsUnderWay = 256;

    public ScalarsReportedConsumerDefinition()
    {
        ConcurrentMessageLimit = ReportsUnderWay;
        Endpoint(endpoint => endpoint.PrefetchCount = ReportsUnderWay);
    }

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<ScalarsReportedConsumer> consumerConfigurator,
        IRegistrationContext context) => endpointConfigurator.RefuseWhenFull();
}
