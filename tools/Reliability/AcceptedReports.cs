using System.Collections.Concurrent;
using System.Text.Json;
using FedKSeed.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace FedKSeed.Reliability;

/// <summary>
/// Hears every ReportAccepted of a federation, through whatever happens to the broker: its queue is durable, and it acknowledges what it
/// has noted.
/// </summary>
internal sealed class AcceptedReports : IAsyncDisposable
{
    private readonly ConcurrentDictionary<AssignmentKey, int> _times = new();
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly string _federation;

    private AcceptedReports(IConnection connection, IChannel channel, string federation) =>
        (_connection, _channel, _federation) = (connection, channel, federation);

    /// <summary>Assignments whose reports were accepted so far.</summary>
    public IReadOnlyCollection<AssignmentKey> Keys => [.. _times.Keys];

    public int Count => _times.Count;

    /// <summary>Announcements beyond the first of each report: repeats that were recognised as such.</summary>
    public long Repeats => _times.Values.Sum(times => (long)times - 1);

    /// <param name="broker">The broker's own address, not a proxy's.</param>
    public static async Task<AcceptedReports> ListenAsync(Uri broker, string federation, CancellationToken cancel)
    {
        var connection = await AmqpConnection.OpenAsync(broker, cancel);
        var channel = await connection.CreateChannelAsync(cancellationToken: cancel);
        var queue = $"witness-{federation}";
        await AmqpConnection.TapAsync<ReportAccepted>(channel, queue, cancel);
        var reports = new AcceptedReports(connection, channel, federation);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += reports.NoteAsync;
        await channel.BasicConsumeAsync(queue, autoAck: false, consumer, cancel);
        return reports;
    }

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
    }

    private async Task NoteAsync(object sender, BasicDeliverEventArgs delivery)
    {
        var accepted = JsonDocument.Parse(delivery.Body).RootElement.GetProperty("message")
            .Deserialize<ReportAccepted>(JsonSerializerOptions.Web)!;
        if (accepted.Federation == _federation)
            _times.AddOrUpdate(accepted.Assignment, 1, (_, times) => times + 1);
        await ((AsyncEventingBasicConsumer)sender).Channel.BasicAckAsync(delivery.DeliveryTag, multiple: false);
    }
}
