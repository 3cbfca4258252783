using System.Runtime.CompilerServices;
using MassTransit;
using MassTransit.RabbitMqTransport.Configuration;
using RabbitMQ.Client.Exceptions;

namespace FedKSeed.Bus;

/// <summary>
/// How long a queue's consumer waits before it connects again. MassTransit's own wait doubles with every connection that the endpoint loses
/// in the life of its process, up to half a minute, and never shrinks again: a service that has lived through five short outages is deaf
/// for thirty seconds after the sixth. There is no setting for it, so this sets the field behind it; the package's version is pinned, and a
/// test loses connections to see that this still works.
/// </summary>
internal static class ReconnectPolicy
{
    // BrokerReach waits for a broker that is away; this is for one that is there and turns us down.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    public static void Apply(IRabbitMqBusFactoryConfigurator transport)
    {
        var host = (RabbitMqHostConfiguration)HostOf((RabbitMqBusFactoryConfigurator)transport);
        // After its last attempt the endpoint begins with the first one again.
        PolicyOf(host) = Retry.CreatePolicy(retry =>
        {
            retry.Ignore<AuthenticationFailureException>();
            retry.Interval(10, Interval);
        });
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_hostConfiguration")]
    private static extern ref IRabbitMqHostConfiguration HostOf(RabbitMqBusFactoryConfigurator configurator);

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<ReceiveTransportRetryPolicy>k__BackingField")]
    private static extern ref IRetryPolicy PolicyOf(RabbitMqHostConfiguration host);
}
