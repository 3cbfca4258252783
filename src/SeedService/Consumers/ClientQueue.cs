using FedKSeed.Bus;
using MassTransit;

namespace FedKSeed.SeedService.Consumers;

internal static class ClientQueue
{
    /// <summary>Sends to one client's queue.</summary>
    /// <param name="lifetime">After which nobody needs the message any more, and the broker drops it.</param>
    /// <returns>False when the client has none, which is no reason to keep the others waiting.</returns>
    public static Task<bool> TrySendToClientAsync<T>(
        this ConsumeContext context, string client, T message, TimeSpan lifetime)
        where T : class => context.TrySendAsync(QueueNames.OfClient(client), message, lifetime);

    /// <summary>Sends to one evaluator's queue.</summary>
    /// <inheritdoc cref="TrySendToClientAsync"/>
    public static Task<bool> TrySendToEvaluatorAsync<T>(this ConsumeContext context, string evaluator, T message, TimeSpan lifetime)
        where T : class => context.TrySendAsync(QueueNames.OfEvaluator(evaluator), message, lifetime);

    private static async Task<bool> TrySendAsync<T>(this ConsumeContext context, string queue, T message, TimeSpan lifetime)
        where T : class
    {
        try
        {
            await context.SendInTimeAsync(QueueNames.AddressOf(queue), message, lifetime, context.CancellationToken);
            return true;
        }
        catch (MessageReturnedException)
        {
            return false;
        }
    }
}
