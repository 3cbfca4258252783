using FedKSeed.Contracts;
using MassTransit;

namespace FedKSeed.SeedService.Consumers;

internal static class ClientQueue
{
    /// <summary>Sends to one client's queue.</summary>
    /// <returns>False when the client has none, which is no reason to keep the others waiting.</returns>
    public static async Task<bool> TrySendToClientAsync<T>(this ConsumeContext context, FederationName federation, string client, T message)
        where T : class
    {
        var queue = await context.GetSendEndpoint(federation.AddressOf(client));
        try
        {
            await queue.Send(message, context.CancellationToken);
            return true;
        }
        catch (MessageReturnedException)
        {
            return false;
        }
    }
}
