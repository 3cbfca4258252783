using System.Runtime.InteropServices;
using System.Text.Json;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace FedKSeed.Reliability.Federations;

/// <summary>
/// Clients of many federations that answer every assignment at once, on the wire. One queue stands for those of all of them.
/// </summary>
internal sealed class ScriptedPlayers : IAsyncDisposable
{
    // The library's default lets one message be worked off at a time.
    private const ushort AtOnce = 64;

    private const string Queue = "players";

    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(5);

    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly IReadOnlyList<(string Federation, string Client)> _members;
    private readonly CancellationTokenSource _stopping = new();
    private Task _announcing = Task.CompletedTask;

    private ScriptedPlayers(IConnection connection, IChannel channel, IReadOnlyList<(string Federation, string Client)> members) =>
        (_connection, _channel, _members) = (connection, channel, members);

    public static async Task<ScriptedPlayers> StartAsync(
        Uri broker, IReadOnlyList<(string Federation, string Client)> members, CancellationToken cancel)
    {
        var connection = await AmqpConnection.OpenAsync(broker, cancel);
        var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(
                publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true, consumerDispatchConcurrency: AtOnce),
            cancel);
        var players = new ScriptedPlayers(connection, channel, members);
        await channel.QueueDeclareAsync(Queue, durable: true, exclusive: false, autoDelete: false, cancellationToken: cancel);
        foreach (var (_, client) in members)
        {
            var exchange = QueueNames.OfClient(client);
            await channel.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true, cancellationToken: cancel);
            await channel.QueueBindAsync(Queue, exchange, "", cancellationToken: cancel);
        }
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += async (_, delivery) =>
        {
            // The library reuses the body's memory once this returns.
            await players.AnswerAsync(delivery.Body.ToArray());
            await channel.BasicAckAsync(delivery.DeliveryTag, multiple: false, CancellationToken.None);
        };
        await channel.BasicConsumeAsync(Queue, autoAck: false, consumer, cancel);
        players._announcing = players.AnnounceAsync();
        return players;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _announcing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // Not in order: somebody may still be about to answer.
        await _connection.AbortAsync();
        _stopping.Dispose();
    }

    private async Task AnswerAsync(byte[] body)
    {
        var envelope = JsonDocument.Parse(body).RootElement;
        if (!envelope.GetProperty("messageType")[0].GetString()!.EndsWith(nameof(SeedsAssigned), StringComparison.Ordinal))
            return;
        var assigned = envelope.GetProperty("message").Deserialize<SeedsAssigned>(JsonSerializerOptions.Web)!;
        var scalars = new float[assigned.Steps];
        for (var step = 0; step < scalars.Length; step++)
            scalars[step] = MathF.Sin(step);
        await PublishAsync(new ScalarsReported
        {
            Federation = assigned.Federation,
            Assignment = assigned.Assignment,
            BaseVersion = assigned.Version,
            Examples = 10,
            Scalars = MemoryMarshal.AsBytes(scalars.AsSpan()).ToArray(),
            SkippedSteps = [],
        });
    }

    private async Task AnnounceAsync()
    {
        while (true)
        {
            foreach (var (federation, client) in _members)
                await PublishAsync(
                    new ClientAnnounced { Federation = federation, Client = client, Worker = client, Examples = 10, Device = "cpu" });
            await Task.Delay(Heartbeat, _stopping.Token);
        }
    }

    private async Task PublishAsync<T>(T message) where T : class => await _channel.BasicPublishAsync(
        AmqpConnection.ExchangeOf<T>(), "", mandatory: true,
        new BasicProperties { ContentType = "application/vnd.masstransit+json", Persistent = true },
        JsonSerializer.SerializeToUtf8Bytes(
            new { messageId = Guid.NewGuid(), messageType = new[] { $"urn:message:{AmqpConnection.ExchangeOf<T>()}" }, message },
            JsonSerializerOptions.Web),
        _stopping.Token);
}
