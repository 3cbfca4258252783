using System.Text.Json;
using RabbitMQ.Client;

namespace FedKSeed.Reliability;

/// <summary>How the harness speaks AMQP itself.</summary>
internal static class AmqpConnection
{
    /// <summary>A connection that comes back, with its consumers, soon after the broker does.</summary>
    public static Task<IConnection> OpenAsync(Uri broker, CancellationToken cancel) =>
        new ConnectionFactory
        {
            Uri = broker,
            AutomaticRecoveryEnabled = true,
            TopologyRecoveryEnabled = true,
            NetworkRecoveryInterval = TimeSpan.FromMilliseconds(500),
        }.CreateConnectionAsync(cancel);

    /// <summary>A durable queue that gets a copy of whatever is published of a type.</summary>
    public static async Task TapAsync<T>(IChannel channel, string queue, CancellationToken cancel)
    {
        await channel.QueueDeclareAsync(
            queue, durable: true, exclusive: false, autoDelete: false,
            new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }, cancellationToken: cancel);
        await channel.ExchangeDeclareAsync(ExchangeOf<T>(), ExchangeType.Fanout, durable: true, cancellationToken: cancel);
        await channel.QueueBindAsync(queue, ExchangeOf<T>(), "", cancellationToken: cancel);
    }

    /// <summary>Publishes a message as a service would.</summary>
    public static async Task PublishAsync<T>(this IConnection connection, T message, CancellationToken cancel) where T : class
    {
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancel);
        var envelope = JsonSerializer.SerializeToUtf8Bytes(
            new { messageId = Guid.NewGuid(), messageType = new[] { $"urn:message:{ExchangeOf<T>()}" }, message },
            JsonSerializerOptions.Web);
        await channel.BasicPublishAsync(
            ExchangeOf<T>(), "", mandatory: true,
            new BasicProperties { ContentType = "application/vnd.masstransit+json", Persistent = true }, envelope, cancel);
    }

    /// <summary>Where the services publish a type.</summary>
    public static string ExchangeOf<T>() => $"{typeof(T).Namespace}:{typeof(T).Name}";
}
