namespace FedKSeed.Bus;

/// <summary>
/// Queues belong to services, to clients and to evaluators, never to federations: however many of those there are, a service reads one
/// queue a type of message, and a client has one.
/// </summary>
public static class QueueNames
{
    /// <summary>Of the services' queues: what follows is the name of the consumer, in lower case with hyphens.</summary>
    public const string ServicePrefix = "fedkseed-service-";

    /// <summary>
    /// The queue of one client, whose name is its own in the whole store; every worker of that client reads it, and nobody else.
    /// </summary>
    public static string OfClient(string client) => $"fedkseed-client-{client}";

    /// <summary>The queue of one evaluator.</summary>
    public static string OfEvaluator(string evaluator) => $"fedkseed-evaluator-{evaluator}";

    /// <summary>
    /// Where messages for one queue are sent. The exchange, so that the sender declares no queue and none of its arguments.
    /// </summary>
    public static Uri AddressOf(string queue) => new($"exchange:{queue}");
}
