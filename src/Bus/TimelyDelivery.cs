using System.Net.Sockets;
using MassTransit;
using RabbitMQ.Client.Exceptions;

namespace FedKSeed.Bus;

/// <summary>The broker is away, or went away while it was to take a message, which it may have all the same.</summary>
public sealed class BrokerAwayException(string message, Exception inner) : Exception(message, inner);

/// <summary>
/// Publishing and sending that ends: confirmed, with a <see cref="BrokerAwayException"/>, or with a <see cref="MessageReturnedException"/>
/// when no queue takes the message. The bus tries again for as long as the broker is away, and the client library can lose a confirmation
/// with the connection it was to come on: whoever waits for one without an end stands still for ever, and looks healthy.
/// </summary>
public static class TimelyDelivery
{
    /// <summary>Longer than a connection that only looks open goes unnoticed at the default heartbeat, 15 s.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <param name="timeToLive">After which nobody needs the message any more, and the broker drops it; null for never.</param>
    /// <exception cref="BrokerAwayException">The broker did not confirm it in time.</exception>
    /// <exception cref="MessageReturnedException">It must reach a service, and none ever opened its queue.</exception>
    public static Task PublishInTimeAsync<T>(this IPublishEndpoint bus, T message, TimeSpan? timeToLive, CancellationToken cancel)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(bus);
        return InTimeAsync(
            token => timeToLive is { } lifetime
                ? bus.Publish(message, publish => publish.TimeToLive = lifetime, token)
                : bus.Publish(message, token),
            Patience, cancel);
    }

    /// <inheritdoc cref="PublishInTimeAsync{T}(IPublishEndpoint, T, TimeSpan?, CancellationToken)"/>
    public static Task PublishInTimeAsync<T>(this IPublishEndpoint bus, T message, CancellationToken cancel)
        where T : class => bus.PublishInTimeAsync(message, null, cancel);

    /// <param name="address">Of the exchange.</param>
    /// <inheritdoc cref="PublishInTimeAsync{T}(IPublishEndpoint, T, TimeSpan?, CancellationToken)"/>
    public static Task SendInTimeAsync<T>(
        this ISendEndpointProvider bus, Uri address, T message, TimeSpan timeToLive, CancellationToken cancel)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(bus);
        return InTimeAsync(
            async token =>
            {
                var endpoint = await bus.GetSendEndpoint(address);
                await endpoint.Send(message, send => send.TimeToLive = timeToLive, token);
            },
            Patience, cancel);
    }

    /// <summary>Cancels the delivery at the end of the patience, and waits no longer even if it does not listen.</summary>
    internal static async Task InTimeAsync(Func<CancellationToken, Task> deliver, TimeSpan patience, CancellationToken cancel)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(patience);
        try
        {
            await deliver(timeout.Token).WaitAsync(timeout.Token);
        }
        catch (OperationCanceledException fault) when (!cancel.IsCancellationRequested)
        {
            throw new BrokerAwayException($"The broker did not confirm a message within {patience.TotalSeconds:F0} s.", fault);
        }
        catch (Exception fault) when (IsOfABrokenConnection(fault))
        {
            throw new BrokerAwayException($"The connection to the broker broke: {fault.Message}", fault);
        }
    }

    /// <summary>A connection that ends under a delivery shows as whatever the libraries made of it just then.</summary>
    private static bool IsOfABrokenConnection(Exception fault) =>
        fault is MassTransitException and not MessageReturnedException
            or RabbitMQClientException or IOException or SocketException or ObjectDisposedException;
}
