using FedKSeed.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace FedKSeed.Reliability;

/// <summary>
/// Takes copies of what the services tell one another, keeps them for up to ten seconds, and publishes them again, some twice, in another
/// order.
/// </summary>
internal sealed class LateDeliveries : IAsyncDisposable
{
    private const string CopyHeader = "fedkseed-copy";
    private const int MostKept = 200;

    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly Random _random;
    private readonly List<BasicDeliverEventArgs> _kept = [];
    private readonly CancellationTokenSource _stopping = new();
    private Task _delivering = Task.CompletedTask;

    private LateDeliveries(IConnection connection, IChannel channel, Random random) =>
        (_connection, _channel, _random) = (connection, channel, random);

    /// <summary>Copies that were published.</summary>
    public int Delivered { get; private set; }

    public static async Task<LateDeliveries> StartAsync(Uri broker, string federation, int seed, CancellationToken cancel)
    {
        var connection = await AmqpConnection.OpenAsync(broker, cancel);
        var channel = await connection.CreateChannelAsync(cancellationToken: cancel);
        var queue = $"copies-{federation}";
        await AmqpConnection.TapAsync<RoundStarted>(channel, queue, cancel);
        await AmqpConnection.TapAsync<ScalarsReported>(channel, queue, cancel);
        await AmqpConnection.TapAsync<RoundClosed>(channel, queue, cancel);
        var late = new LateDeliveries(connection, channel, new Random(seed));
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            late.Keep(delivery);
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue, autoAck: true, consumer, cancel);
        late._delivering = late.DeliverAsync();
        return late;
    }

    /// <summary>Publishes no more.</summary>
    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _delivering;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
        _stopping.Dispose();
    }

    private void Keep(BasicDeliverEventArgs delivery)
    {
        if (delivery.BasicProperties.Headers?.ContainsKey(CopyHeader) == true)
            return;
        // The client reuses the body's memory once this returns.
        var copy = new BasicDeliverEventArgs(
            delivery.ConsumerTag, delivery.DeliveryTag, delivery.Redelivered, delivery.Exchange, delivery.RoutingKey,
            delivery.BasicProperties, delivery.Body.ToArray());
        lock (_kept)
        {
            if (_kept.Count >= MostKept)
                _kept.RemoveAt(0);
            _kept.Add(copy);
        }
    }

    private async Task DeliverAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(_random.Next(200, 1500)));
            foreach (var copy in Draw())
            {
                var properties = new BasicProperties(copy.BasicProperties)
                {
                    Headers = new Dictionary<string, object?>(copy.BasicProperties.Headers ?? new Dictionary<string, object?>())
                    {
                        [CopyHeader] = true
                    },
                };
                try
                {
                    await _channel.BasicPublishAsync(copy.Exchange, copy.RoutingKey, mandatory: false, properties, copy.Body);
                    Delivered++;
                }
                catch (Exception fault) when (fault is AlreadyClosedException or OperationInterruptedException or IOException
                    or ObjectDisposedException)
                {
                    // The broker is away; a copy that is lost was a copy too many anyway.
                }
            }
        }
    }

    /// <summary>A few of those kept, in any order, one in three of them twice.</summary>
    private List<BasicDeliverEventArgs> Draw()
    {
        lock (_kept)
        {
            var drawn = Enumerable.Range(0, Math.Min(_kept.Count, 5)).Select(_ => _kept[_random.Next(_kept.Count)]).ToList();
            return [.. drawn, .. drawn.Where(_ => _random.Next(3) == 0)];
        }
    }
}
