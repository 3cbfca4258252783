using System.Text.Json;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Reliability;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace FedKSeed.Network.Tests;

/// <summary>
/// Clients that answer every assignment at once, on a network without faults. One queue stands for those of all clients; an assignment is
/// acknowledged once its report is confirmed, as a worker does.
/// </summary>
internal sealed class ScriptedClients : IAsyncDisposable
{
    // The library's default lets one message be worked off at a time.
    private const ushort AtOnce = 64;

    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly string _federation;
    private readonly string[] _names;
    private readonly CancellationTokenSource _stopping = new();
    private Task _announcing = Task.CompletedTask;

    private ScriptedClients(IConnection connection, IChannel channel, string federation, int count)
    {
        (_connection, _channel, _federation) = (connection, channel, federation);
        _names = [.. Enumerable.Range(1, count).Select(client => $"client-{client}")];
    }

    /// <summary>Reports wait while it is not completed.</summary>
    public TaskCompletionSource MayReport { get; } = new();

    public static async Task<ScriptedClients> StartAsync(Uri broker, string federation, int count, CancellationToken cancel)
    {
        var connection = await AmqpConnection.OpenAsync(broker, cancel);
        var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(
                publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true,
                consumerDispatchConcurrency: AtOnce), cancel);
        var clients = new ScriptedClients(connection, channel, federation, count);
        var queue = $"clients-{federation}";
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, cancellationToken: cancel);
        foreach (var name in clients._names)
        {
            var exchange = QueueNames.OfClient(name);
            await channel.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true, cancellationToken: cancel);
            await channel.QueueBindAsync(queue, exchange, "", cancellationToken: cancel);
        }
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += async (_, delivery) =>
        {
            // The client reuses the body's memory once this returns.
            await clients.AnswerAsync(delivery.Body.ToArray(), cancel);
            await channel.BasicAckAsync(delivery.DeliveryTag, multiple: false, cancel);
        };
        await channel.BasicConsumeAsync(queue, autoAck: false, consumer, cancel);
        clients._announcing = clients.AnnounceAsync();
        return clients;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        MayReport.TrySetResult();
        await ((Task)_announcing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // Not in order: somebody may still be about to answer.
        await _connection.AbortAsync();
        _stopping.Dispose();
    }

    private async Task AnswerAsync(byte[] body, CancellationToken cancel)
    {
        var envelope = JsonDocument.Parse(body).RootElement;
        if (!envelope.GetProperty("messageType")[0].GetString()!.EndsWith(nameof(SeedsAssigned), StringComparison.Ordinal))
            return;
        var assigned = envelope.GetProperty("message").Deserialize<SeedsAssigned>(JsonSerializerOptions.Web)!;
        await MayReport.Task;
        await PublishAsync(
            new ScalarsReported
            {
                Federation = assigned.Federation,
                Assignment = assigned.Assignment,
                BaseVersion = assigned.Version,
                Examples = 10,
                Scalars = new byte[assigned.Steps * sizeof(float)],
                SkippedSteps = [],
            },
            cancel);
    }

    private async Task AnnounceAsync()
    {
        while (true)
        {
            await Task.WhenAll(_names.Select(name => PublishAsync(
                new ClientAnnounced
                {
                    Federation = _federation,
                    Client = name,
                    Worker = name,
                    Examples = 10,
                    Device = "cpu"
                }, _stopping.Token)));
            await Task.Delay(5000, _stopping.Token);
        }
    }

    private async Task PublishAsync<T>(T message, CancellationToken cancel) where T : class
    {
        var envelope = JsonSerializer.SerializeToUtf8Bytes(
            new { messageId = Guid.NewGuid(), messageType = new[] { $"urn:message:{AmqpConnection.ExchangeOf<T>()}" }, message },
            JsonSerializerOptions.Web);
        await _channel.BasicPublishAsync(
            AmqpConnection.ExchangeOf<T>(), "", mandatory: true,
            new BasicProperties { ContentType = "application/vnd.masstransit+json", Persistent = true }, envelope, cancel);
    }
}
