using System.ComponentModel.DataAnnotations;
using System.Runtime.Serialization;
using FedKSeed.Contracts;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FedKSeed.Bus;

public enum BusTransport
{
    /// <summary>Within one process: the embedded default.</summary>
    InMemory,

    RabbitMq,
}

/// <summary>Section "Bus".</summary>
public sealed class BusOptions
{
    /// <summary>What a process of a service needs, whose bus cannot be within the process.</summary>
    public const string OtherwiseSay = "a service needs Bus:Transport, RabbitMq, and Bus:Broker, amqp://user:password@host:5672/.";

    /// <summary>How messages travel: within one process, or by a RabbitMQ that several share.</summary>
    public BusTransport Transport { get; set; } = BusTransport.InMemory;

    /// <summary>Address of the broker: amqp://user:password@host:5672/virtual-host, or amqps.</summary>
    [Required, DataType(DataType.Password)]
    public Uri Broker { get; set; } = new("amqp://guest:guest@localhost:5672/");

    /// <summary>
    /// A connection without a sign of life for three of these is closed here, for two at the broker, which then gives its messages to
    /// others. The client library's minute would leave a connection that only looks open, and the work on it, for three; much less than
    /// this takes a pause on a busy machine for a death.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(5);
}

/// <summary>What all services share about the bus: transport, serialisation, names, retries.</summary>
public static class FederationBus
{
    public static IHostApplicationBuilder AddFederationBus(
        this IHostApplicationBuilder builder, Action<IBusRegistrationConfigurator> consumers)
    {
        ArgumentNullException.ThrowIfNull(builder);
        var options = builder.Configuration.GetSection("Bus").Get<BusOptions>() ?? new BusOptions();
        builder.Services.AddOptions<BusOptions>().BindConfiguration("Bus").ValidateDataAnnotations()
            .Validate(
                bus => bus.Broker is { IsAbsoluteUri: true, Scheme: "amqp" or "amqps" },
                "Bus:Broker must be an address like amqp://user:password@host:5672/.")
            .ValidateOnStart();
        builder.Services.Configure<MassTransitHostOptions>(host =>
        {
            // A service is ready when its queues are: nothing may be published before.
            host.WaitUntilStarted = true;
            // Work on an assignment is dropped at a stop: the broker gives it to another worker, or to the next one.
            host.ConsumerStopTimeout = TimeSpan.FromSeconds(1);
            host.StopTimeout = TimeSpan.FromSeconds(5);
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(10));
        if (options.Transport == BusTransport.RabbitMq)
        {
            builder.Services.AddSingleton<BrokerReach>();
            // Before the bus's own, which waits for the broker for ever.
            builder.Services.AddHostedService<BrokerLogin>();
        }
        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.SetEndpointNameFormatter(new KebabCaseEndpointNameFormatter(QueueNames.ServicePrefix, includeNamespace: false));
            bus.AddConfigureEndpointsCallback((context, _, endpoint) => UseConventions(endpoint, context));
            consumers(bus);
            if (options.Transport == BusTransport.RabbitMq)
                bus.UsingRabbitMq((context, transport) => UseRabbitMq(context, transport, options));
            else
                bus.UsingInMemory((context, transport) =>
                {
                    UseCompactJson(transport);
                    transport.ConfigureEndpoints(context);
                });
        });
        return builder;
    }

    /// <summary>
    /// Policy of every receive endpoint of a service: messages of federations that it does not serve are dropped, and what
    /// <see cref="UseConventions(IReceiveEndpointConfigurator)"/> says.
    /// </summary>
    public static void UseConventions(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        UseConventions(endpoint);
        endpoint.UseConsumeFilter(typeof(FederationFilter<>), context);
    }

    /// <summary>A bounded quorum queue, and a short retry for what passes by itself, then the error queue.</summary>
    public static void UseConventions(IReceiveEndpointConfigurator endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbit)
            QueueBounds.Apply(rabbit);
        endpoint.UseMessageRetry(retry =>
        {
            retry.Exponential(4, TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5), TimeSpan.FromMilliseconds(400));
            // What a message says does not get better by reading it again.
            retry.Ignore<FormatException>();
            retry.Ignore<ArgumentException>();
            retry.Ignore<SerializationException>();
        });
    }

    /// <summary>
    /// Whether a fault of <see cref="TimelyDelivery"/> says that the broker is away, or that nobody has opened the queue of a message yet:
    /// the same may well succeed later.
    /// </summary>
    public static bool IsBusAway(Exception fault) => fault is BrokerAwayException or MessageReturnedException;

    /// <summary>
    /// Work that needs what is away just now is tried until it is back, or until the broker gives it to another process at its
    /// acknowledgement timeout. What a process holds so is bounded by its prefetch; all else waits in the queue. It never ends in an error
    /// queue, as work that is tried a number of times does.
    /// </summary>
    /// <param name="isAway">Whether a fault says so.</param>
    public static void WaitWhileAway(this IBusRegistrationConfigurator bus, Func<Exception, bool> isAway)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.AddConfigureEndpointsCallback((_, _, endpoint) => endpoint.WaitWhileAway(isAway));
    }

    /// <inheritdoc cref="WaitWhileAway(IBusRegistrationConfigurator, Func{Exception, bool})"/>
    public static void WaitWhileAway(this IReceiveEndpointConfigurator endpoint, Func<Exception, bool> isAway) =>
        endpoint.UseMessageRetry(retry =>
        {
            retry.Handle(isAway);
            // A policy without an end does not exist; this one outlasts every acknowledgement timeout.
            retry.Interval(10_000, TimeSpan.FromSeconds(1));
        });

    private static void UseRabbitMq(IBusRegistrationContext context, IRabbitMqBusFactoryConfigurator transport, BusOptions options)
    {
        transport.Host(options.Broker, host =>
        {
            host.Heartbeat(options.Heartbeat);
            host.OnRefreshConnectionFactory = context.GetRequiredService<BrokerReach>().WaitAsync;
        });
        ReconnectPolicy.Apply(transport);
        // Messages that a process holds and has not worked off; more wait in the queue, where others can take them.
        transport.PrefetchCount = 16;
        UseCompactJson(transport);
        transport.SendTopology.DeadLetterQueueNameFormatter = new ErrorQueue();
        transport.SendTopology.ConfigureErrorSettings = QueueBounds.ApplyToErrors;
        transport.SendTopology.ConfigureDeadLetterSettings = QueueBounds.ApplyToErrors;
        // Without this a message that no queue is bound for is confirmed by the broker and lost.
        transport.ConfigurePublish(publish => publish.UseExecute(message =>
        {
            if (message.TryGetPayload<RabbitMqSendContext>(out var rabbit))
                rabbit.Mandatory = IsForAService(message);
        }));
        transport.ConfigureSend(send => send.UseExecute(message =>
        {
            if (message.TryGetPayload<RabbitMqSendContext>(out var rabbit))
                rabbit.Mandatory = true;
        }));
        transport.ConfigureEndpoints(context);
    }

    /// <summary>
    /// A message of a type or version that nobody here knows is kept where all are that cannot be worked off, not in a queue of its own.
    /// </summary>
    private sealed class ErrorQueue : IDeadLetterQueueNameFormatter
    {
        public string FormatDeadLetterQueueName(string queueName) => queueName + "_error";
    }

    /// <summary>
    /// What must reach a service's queue. All else may have nobody who listens, faults above all: a message whose fault could not be
    /// published would never get to its error queue, but come again at once and for ever.
    /// </summary>
    private static bool IsForAService(PublishContext message) =>
        message is PublishContext<RoundStarted> or PublishContext<RoundClosed> or PublishContext<CloseFederation>
            or PublishContext<ClientAnnounced> or PublishContext<EvaluatorAnnounced> or PublishContext<ScalarsReported>
            or PublishContext<ModelEvaluated> or PublishContext<OpenFederation> or PublishContext<PauseFederation>
            or PublishContext<ResumeFederation> or PublishContext<BarClient> or PublishContext<ReadmitClient>
            or PublishContext<RemoveFederation>;

    /// <summary>How messages are written and read.</summary>
    public static void UseCompactJson(IBusFactoryConfigurator transport)
    {
        ArgumentNullException.ThrowIfNull(transport);
        transport.ConfigureJsonSerializerOptions(json =>
        {
            json.WriteIndented = false;
            // A null where the contract has none is refused here, before a consumer trips over it.
            json.RespectNullableAnnotations = true;
            json.RespectRequiredConstructorParameters = true;
            return json;
        });
        transport.AddDeserializer(new EnvelopesWithoutAddresses(), isDefault: true);
    }
}
