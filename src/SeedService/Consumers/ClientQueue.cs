using FedKSeed.Bus;
using MassTransit;

namespace FedKSeed.SeedService.Consumers;

internal static class ClientQueue
{
    /// <summary>Sends to one client's queue.</summary>
    /// <param name="lifetime">After which nobody needs the message any more, and the broker drops it.</param>
    /// <returns>False when the client has none, which is no reason to keep the others waiting.</returns>
    public static async Task<bool> TrySendToClientAsync<T>(
        this ConsumeContext context, FederationName federation, string client, T message, TimeSpan lifetime)
        where T : class
    {
        try
        {
            await context.SendInTimeAsync(federation.AddressOf(client), message, lifetime, context.CancellationToken);
            return true;
        }
        catch (MessageReturnedException)
        {
            return false;
        }
    }
}
