using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using StackExchange.Redis;

namespace FedKSeed.Reliability.Throughput;

/// <summary>
/// What the store and the broker do on their own, with bodies as large as a report: nothing that stands on them is quicker.
/// </summary>
internal static class Baseline
{
    private const int BodyBytes = 2_100;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(3);

    /// <summary>Appends a second to a list, each waited for, by so many writers at once.</summary>
    public static async Task<double> RedisAppendsAsync(string connection, int writers, TimeProvider time)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(connection);
        var (database, body, began) = (redis.GetDatabase(), new byte[BodyBytes], time.GetTimestamp());
        var counts = await Task.WhenAll(Enumerable.Range(0, writers).Select(async _ =>
        {
            var count = 0;
            for (; time.GetElapsedTime(began) < Duration; count++)
                await database.ListRightPushAsync("baseline", body);
            return count;
        }));
        var rate = counts.Sum() / time.GetElapsedTime(began).TotalSeconds;
        await database.KeyDeleteAsync("baseline");
        return rate;
    }

    /// <summary>Messages a second through a quorum queue: published with confirms, consumed, acknowledged.</summary>
    public static async Task<double> BrokerMessagesAsync(Uri broker, int publishers, TimeProvider time, CancellationToken cancel)
    {
        await using var connection = await new ConnectionFactory { Uri = broker }.CreateConnectionAsync(cancel);
        await using var publishing = await connection.CreateChannelAsync(new CreateChannelOptions(true, true, null), cancel);
        await using var consuming = await connection.CreateChannelAsync(cancellationToken: cancel);
        await consuming.QueueDeclareAsync(
            "baseline", durable: true, exclusive: false, autoDelete: false,
            new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }, cancellationToken: cancel);
        var consumed = 0;
        var consumer = new AsyncEventingBasicConsumer(consuming);
        consumer.ReceivedAsync += async (_, delivery) =>
        {
            Interlocked.Increment(ref consumed);
            await consuming.BasicAckAsync(delivery.DeliveryTag, false, cancel);
        };
        await consuming.BasicQosAsync(0, 256, false, cancel);
        await consuming.BasicConsumeAsync("baseline", autoAck: false, consumer, cancel);
        var (body, began) = (new byte[BodyBytes], time.GetTimestamp());
        await Task.WhenAll(Enumerable.Range(0, publishers).Select(async _ =>
        {
            while (time.GetElapsedTime(began) < Duration)
                await publishing.BasicPublishAsync(
                    "", "baseline", true, new BasicProperties { DeliveryMode = DeliveryModes.Persistent }, body, cancel);
        }));
        var rate = consumed / time.GetElapsedTime(began).TotalSeconds;
        await consuming.QueueDeleteAsync("baseline", cancellationToken: cancel);
        return rate;
    }
}
