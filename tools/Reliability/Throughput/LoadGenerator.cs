using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text.Json;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace FedKSeed.Reliability.Throughput;

/// <summary>One round as its clients saw it.</summary>
/// <param name="Assigning">From the round's start to the last client's assignment.</param>
/// <param name="Reporting">From the first report's publish to the last one's acceptance.</param>
/// <param name="Committing">From the round's close to its commit.</param>
/// <param name="Latencies">Of each report, from its publish to the word that it was accepted.</param>
internal sealed record RoundMeasure(TimeSpan Assigning, TimeSpan Reporting, TimeSpan Committing, IReadOnlyList<TimeSpan> Latencies)
{
    public double ReportsPerSecond => Latencies.Count / Reporting.TotalSeconds;
}

/// <summary>
/// The clients of a federation and its clock, on the wire: it starts rounds, and every client answers its assignment with a sound report.
/// It speaks AMQP itself, so that little of the machine's time is its own. One queue stands for those of all clients.
/// </summary>
internal sealed class LoadGenerator : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private readonly IConnection _connection;
    private readonly IChannel _publishing;
    private readonly string _federation;
    private readonly string[] _clients;
    private readonly ConcurrentDictionary<AssignmentKey, Waiting> _waiting = new();
    private readonly ConcurrentQueue<JsonElement> _assignments = new();
    private readonly ConcurrentQueue<TimeSpan> _latencies = new();
    private volatile TaskCompletionSource _allAssigned = new();
    private volatile TaskCompletionSource _committed = new();
    private string? _refusal;

    private LoadGenerator(IConnection connection, IChannel publishing, string federation, int clients)
    {
        (_connection, _publishing, _federation) = (connection, publishing, federation);
        _clients = [.. Enumerable.Range(1, clients).Select(client => $"client-{client:D5}")];
    }

    /// <param name="clients">How many clients it plays.</param>
    public static async Task<LoadGenerator> StartAsync(Uri broker, string federation, int clients, CancellationToken cancel)
    {
        var connection = await new ConnectionFactory { Uri = broker }.CreateConnectionAsync(cancel);
        var publishing = await connection.CreateChannelAsync(
            new CreateChannelOptions(
                publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true,
                outstandingPublisherConfirmationsRateLimiter: null), cancel);
        var generator = new LoadGenerator(connection, publishing, federation, clients);
        await generator.ListenAsync(cancel);
        return generator;
    }

    /// <summary>One round: assignments for all, a report of each, never more than so many unanswered, then its commit.</summary>
    /// <param name="atReports">Called before the first report is published, and when the last one is accepted.</param>
    public async Task<RoundMeasure> RoundAsync(int round, int underWay, Action atReports, TimeProvider time, CancellationToken cancel)
    {
        (_allAssigned, _committed) = (new(), new());
        _assignments.Clear();
        _latencies.Clear();
        var began = time.GetTimestamp();
        await PublishAsync(new RoundStarted { Federation = _federation, Round = round, Participants = _clients }, cancel);
        await _allAssigned.Task.WaitAsync(Patience, cancel);
        var assigned = time.GetTimestamp();
        // Made beforehand, so that what is measured is not their making.
        var reports = _assignments.Select(ReportOn).Select(report => (Key: report.Assignment, Body: Envelope(report))).ToArray();

        atReports();
        var reporting = time.GetTimestamp();
        using var room = new SemaphoreSlim(underWay);
        var sending = new List<Task>(reports.Length);
        foreach (var report in reports)
        {
            await room.WaitAsync(cancel);
            sending.Add(ReportAsync(report.Key, report.Body, room, time, cancel));
        }
        await Task.WhenAll(sending).WaitAsync(Patience, cancel);
        var reported = time.GetTimestamp();
        atReports();
        await PublishAsync(new RoundClosed { Federation = _federation, Round = round, Reason = "Quorum" }, cancel);
        await _committed.Task.WaitAsync(Patience, cancel);
        return new RoundMeasure(
            time.GetElapsedTime(began, assigned), time.GetElapsedTime(reporting, reported), time.GetElapsedTime(reported), [.. _latencies]);
    }

    public async ValueTask DisposeAsync()
    {
        await _publishing.DisposeAsync();
        await _connection.DisposeAsync();
    }

    private async Task ReportAsync(AssignmentKey key, byte[] body, SemaphoreSlim room, TimeProvider time, CancellationToken cancel)
    {
        var waiting = new Waiting(time.GetTimestamp());
        _waiting[key] = waiting;
        await SendAsync(nameof(ScalarsReported), body, cancel);
        await waiting.Accepted.Task.WaitAsync(cancel);
        _latencies.Enqueue(time.GetElapsedTime(waiting.Since));
        room.Release();
    }

    private async Task ListenAsync(CancellationToken cancel)
    {
        await using (var declaring = await _connection.CreateChannelAsync(cancellationToken: cancel))
        {
            await DeclareQueueAsync(declaring, "load-clients", cancel);
            foreach (var client in _clients)
            {
                var exchange = QueueNames.OfClient(client);
                await declaring.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true, cancellationToken: cancel);
                await declaring.QueueBindAsync("load-clients", exchange, "", cancellationToken: cancel);
            }
            // As RoundService's queue does, so that the broker does what it would do for that.
            await DeclareQueueAsync(declaring, "load-progress", cancel);
            foreach (var message in new[] { nameof(ReportAccepted), nameof(RoundCommitted), nameof(ReportRejected) })
            {
                await declaring.ExchangeDeclareAsync(Exchange(message), ExchangeType.Fanout, durable: true, cancellationToken: cancel);
                await declaring.QueueBindAsync("load-progress", Exchange(message), "", cancellationToken: cancel);
            }
        }
        await ConsumeAsync("load-clients", Assigned, cancel);
        await ConsumeAsync("load-progress", Progressed, cancel);
    }

    private async Task ConsumeAsync(string queue, Action<string, JsonElement> handle, CancellationToken cancel)
    {
        var channel = await _connection.CreateChannelAsync(cancellationToken: cancel);
        await channel.BasicQosAsync(0, 500, false, cancel);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += async (_, delivery) =>
        {
            var envelope = JsonDocument.Parse(delivery.Body.ToArray()).RootElement;
            handle(envelope.GetProperty("messageType")[0].GetString()!, envelope.GetProperty("message"));
            await channel.BasicAckAsync(delivery.DeliveryTag, false, CancellationToken.None);
        };
        await channel.BasicConsumeAsync(queue, autoAck: false, consumer, cancel);
    }

    private void Assigned(string type, JsonElement message)
    {
        if (!type.EndsWith(nameof(SeedsAssigned), StringComparison.Ordinal))
            return;
        _assignments.Enqueue(message);
        if (_assignments.Count == _clients.Length)
            _allAssigned.TrySetResult();
    }

    private void Progressed(string type, JsonElement message)
    {
        if (type.EndsWith(nameof(RoundCommitted), StringComparison.Ordinal))
            _committed.TrySetResult();
        else if (type.EndsWith(nameof(ReportAccepted), StringComparison.Ordinal)
            && _waiting.TryRemove(KeyOf(message), out var accepted))
            accepted.Accepted.TrySetResult();
        else if (type.EndsWith(nameof(ReportRejected), StringComparison.Ordinal)
            && Interlocked.CompareExchange(ref _refusal, message.GetProperty("reason").GetString(), null) is null)
            _committed.TrySetException(new InvalidOperationException($"A report was refused: {_refusal}."));
    }

    private Task PublishAsync<T>(T message, CancellationToken cancel) where T : class =>
        SendAsync(typeof(T).Name, Envelope(message), cancel);

    private async Task SendAsync(string type, byte[] body, CancellationToken cancel) => await _publishing.BasicPublishAsync(
        Exchange(type), "", mandatory: true,
        new BasicProperties { ContentType = "application/vnd.masstransit+json", DeliveryMode = DeliveryModes.Persistent }, body, cancel);

    private static string Exchange(string message) => $"{typeof(ScalarsReported).Namespace}:{message}";

    private static Task<QueueDeclareOk> DeclareQueueAsync(IChannel channel, string name, CancellationToken cancel) =>
        channel.QueueDeclareAsync(
            name, durable: true, exclusive: false, autoDelete: false,
            new Dictionary<string, object?> { ["x-queue-type"] = "quorum" }, cancellationToken: cancel);

    /// <summary>What MassTransit would put around a message of a worker.</summary>
    private static byte[] Envelope<T>(T message) where T : class => JsonSerializer.SerializeToUtf8Bytes(
        new
        {
            messageId = Guid.NewGuid(),
            conversationId = Guid.NewGuid(),
            sourceAddress = "rabbitmq://127.0.0.1/fedkseed-client-client",
            destinationAddress = $"rabbitmq://127.0.0.1/{Exchange(typeof(T).Name)}",
            messageType = new[] { $"urn:message:{typeof(T).Namespace}:{typeof(T).Name}" },
            message,
            sentTime = TimeProvider.System.GetUtcNow(),
            headers = new { },
            host = new
            {
                machineName = "load",
                processName = "load",
                processId = 1,
                assembly = "load",
                frameworkVersion = "10.0",
                massTransitVersion = "8.5.12",
                operatingSystemVersion = "Unix"
            },
        },
        JsonSerializerOptions.Web);

    private static ScalarsReported ReportOn(JsonElement assignment)
    {
        var scalars = new float[assignment.GetProperty("steps").GetInt32()];
        for (var step = 0; step < scalars.Length; step++)
            scalars[step] = MathF.Sin(step) * 3;
        return new ScalarsReported
        {
            Federation = assignment.GetProperty("federation").GetString()!,
            Assignment = KeyOf(assignment),
            BaseVersion = assignment.GetProperty("model").GetProperty("version").GetInt32(),
            Examples = 100,
            Scalars = MemoryMarshal.AsBytes(scalars.AsSpan()).ToArray(),
            SkippedSteps = [],
        };
    }

    private static AssignmentKey KeyOf(JsonElement message)
    {
        var key = message.GetProperty("assignment");
        return new AssignmentKey(key.GetProperty("round").GetInt32(), key.GetProperty("client").GetString()!);
    }

    private sealed record Waiting(long Since)
    {
        public TaskCompletionSource Accepted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
