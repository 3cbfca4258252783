using MassTransit;

namespace FedKSeed.Bus;

/// <summary>
/// How much a queue may hold, so that nobody who can send to it fills the broker's disk. All are arguments of the queue and can't change
/// later: a broker that has queues of another version says PRECONDITION_FAILED, and wants them deleted.
/// </summary>
public static class QueueBounds
{
    /// <summary>Of a service's queue: three heartbeats of 65 536 clients, or their reports, and then the oldest make room.</summary>
    private const int ServiceMessages = 200_000;
    private const int ServiceBytes = 512 << 20;

    /// <summary>Of a client's own queue: an assignment or two, and what it is told of its reports.</summary>
    private const int ClientMessages = 256;
    private const int ClientBytes = 64 << 20;

    /// <summary>A client's queue that no worker has read for so long is deleted by the broker, with what it holds.</summary>
    private static readonly TimeSpan ClientLifetime = TimeSpan.FromDays(7);

    /// <summary>Of a queue of what could not be worked off: the newest, for somebody to look at within a week.</summary>
    private const int ErrorMessages = 1000;
    private const int ErrorBytes = 32 << 20;
    private static readonly TimeSpan ErrorLifetime = TimeSpan.FromDays(7);

    private const string MaximumMessages = "x-max-length", MaximumBytes = "x-max-length-bytes", Overflow = "x-overflow";
    private const string Expires = "x-expires";

    /// <summary>Arguments of a client's queue, for whoever declares it without the bus.</summary>
    public static IReadOnlyDictionary<string, object?> OfAClientsQueue { get; } = new Dictionary<string, object?>
    {
        ["x-queue-type"] = "quorum",
        [MaximumMessages] = ClientMessages,
        [MaximumBytes] = ClientBytes,
        [Expires] = (int)ClientLifetime.TotalMilliseconds,
    };

    /// <summary>Quorum queues keep a confirmed message through the loss of a broker node.</summary>
    internal static void Apply(IRabbitMqReceiveEndpointConfigurator endpoint)
    {
        endpoint.SetQuorumQueue();
        endpoint.SetQueueArgument(MaximumMessages, ServiceMessages);
        endpoint.SetQueueArgument(MaximumBytes, ServiceBytes);
    }

    /// <summary>Bounds of a queue that one client's workers read.</summary>
    public static void HoldAsAClientsQueue(this IReceiveEndpointConfigurator endpoint)
    {
        if (endpoint is not IRabbitMqReceiveEndpointConfigurator rabbit)
            return;
        foreach (var (argument, value) in OfAClientsQueue)
            rabbit.SetQueueArgument(argument, value!);
    }

    /// <summary>A full queue refuses what is published instead of dropping its oldest: its sender keeps it and tries again.</summary>
    public static void RefuseWhenFull(this IReceiveEndpointConfigurator endpoint)
    {
        if (endpoint is IRabbitMqReceiveEndpointConfigurator rabbit)
            rabbit.SetQueueArgument(Overflow, "reject-publish");
    }

    internal static void ApplyToErrors(IRabbitMqQueueConfigurator errors)
    {
        errors.SetQueueArgument(MaximumMessages, ErrorMessages);
        errors.SetQueueArgument(MaximumBytes, ErrorBytes);
        errors.SetQueueArgument(Overflow, "drop-head");
        // An error queue begins with its queue's arguments. It has no reader, and would go with what somebody is to look at.
        errors.SetQueueArgument(Expires, (object?)null);
        errors.SetQueueArgument("x-message-ttl", (int)ErrorLifetime.TotalMilliseconds);
    }
}
