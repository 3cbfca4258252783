using System.Text.Json;
using System.Threading.Channels;
using FedKSeed.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace FedKSeed.Reliability.Tests;

/// <summary>Hears what workers say of their progress.</summary>
internal sealed class ProgressTap : IAsyncDisposable
{
    private readonly Channel<LocalProgress> _heard = Channel.CreateUnbounded<LocalProgress>();
    private readonly IConnection _connection;
    private readonly IChannel _channel;

    private ProgressTap(IConnection connection, IChannel channel) => (_connection, _channel) = (connection, channel);

    public static async Task<ProgressTap> ListenAsync(Uri broker, CancellationToken cancel)
    {
        var connection = await AmqpConnection.OpenAsync(broker, cancel);
        var channel = await connection.CreateChannelAsync(cancellationToken: cancel);
        await AmqpConnection.TapAsync<LocalProgress>(channel, "progress-of-workers", cancel);
        var tap = new ProgressTap(connection, channel);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) => tap._heard.Writer.WriteAsync(
            JsonDocument.Parse(delivery.Body).RootElement.GetProperty("message")
                .Deserialize<LocalProgress>(JsonSerializerOptions.Web)!, CancellationToken.None).AsTask();
        await channel.BasicConsumeAsync("progress-of-workers", autoAck: true, consumer, cancel);
        return tap;
    }

    /// <summary>Looks no more at what was heard so far.</summary>
    public void Forget()
    {
        while (_heard.Reader.TryRead(out _))
        {
        }
    }

    /// <summary>The next one that is looked for.</summary>
    /// <exception cref="TimeoutException">It was not heard within that time.</exception>
    public async Task<LocalProgress> NextAsync(Func<LocalProgress, bool> isLookedFor, TimeSpan patience, CancellationToken cancel)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(patience);
        LocalProgress? last = null;
        try
        {
            await foreach (var progress in _heard.Reader.ReadAllAsync(timeout.Token))
            {
                last = progress;
                if (isLookedFor(progress))
                    return progress;
            }
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"Not heard within {patience.TotalSeconds:F0} s. The last that was heard: {last?.ToString() ?? "nothing"}");
        }
        throw new InvalidOperationException("The tap is closed.");
    }

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
