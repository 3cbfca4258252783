using System.Text;
using System.Text.Json;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using FedKSeed.RoundService;
using FedKSeed.SeedService;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace FedKSeed.Cluster.Tests;

/// <summary>
/// SeedService, and the window and consumers of RoundService, of one federation on the real broker and the real Redis. The test speaks
/// AMQP: it is the clients, whoever means harm, and, unless "HasClock" is set, the clock.
/// </summary>
internal sealed class SeedServiceOnBroker : IAsyncDisposable
{
    public const string Client = "client-1";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private const string TapPrefix = "tap-";

    private readonly IHost _host;
    private readonly IConnection _connection;

    private SeedServiceOnBroker(IHost host, IConnection connection, string federation, FederationBook book) =>
        (_host, _connection, Federation, Book) = (host, connection, federation, book);

    public string Federation { get; }

    public FederationBook Book { get; }

    public static async Task<SeedServiceOnBroker> StartAsync(
        Servers servers, string federation, params (string Key, string Value)[] settings)
    {
        // MassTransit keeps the logger of the first bus in this flow, which may belong to a host that was disposed.
        LogContext.Current = null;
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddConsole().SetMinimumLevel(LogLevel.Critical);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Bus:Transport"] = "RabbitMq",
            ["Bus:Broker"] = servers.Of(federation).Broker.ToString(),
            ["Redis:Connection"] = servers.Of(federation).Redis,
            ["Federation:Name"] = federation,
            ["Federation:BaseModelDigest"] = new string('a', 64),
            ["Federation:Directions:SeedCount"] = "4096",
            ["Federation:StepsPerRound"] = "200",
            ["Federation:EvaluateEvery"] = "0",
        });
        builder.Configuration.AddInMemoryCollection(settings.ToDictionary(item => item.Key, item => (string?)item.Value));
        builder.AddFederationBus(bus =>
        {
            bus.AddSeedServiceConsumers();
            bus.AddRoundServiceConsumers();
        });
        builder.AddSeedService();
        if (builder.Configuration.GetValue<bool>("HasClock"))
            builder.AddRoundService();
        else
            builder.Services.AddSingleton<WakeUps>();
        var host = builder.Build();
        var books = host.Services.GetRequiredService<FederationBooks>();
        await books.OpenAsync(
            builder.Configuration.GetSection("Federation").Get<FederationSettings>()!, actor: null, CancellationToken.None);
        await host.StartAsync();
        var connection = await new ConnectionFactory { Uri = servers.Of(federation).Broker }.CreateConnectionAsync();
        var service = new SeedServiceOnBroker(host, connection, federation, await books.OfAsync(federation, CancellationToken.None));
        await using var channel = await connection.CreateChannelAsync();
        await DeclareClientQueueAsync(channel, QueueNames.OfClient(Client));
        return service;
    }

    public Task Publish<T>(T message) where T : class => _host.Services.GetRequiredService<IBus>().Publish(message);

    public Task<IChannel> Channel() => _connection.CreateChannelAsync();

    /// <summary>A worker of a client without MassTransit: what it would see on the wire.</summary>
    public async Task<BasicGetResult> Next(string queue, string before = "")
    {
        await using var channel = await Channel();
        using var timeout = new CancellationTokenSource(Patience);
        while (true)
        {
            if (await channel.BasicGetAsync(queue, autoAck: true, CancellationToken.None) is { } message)
            {
                if (IsOurs(queue, message))
                    return message;
                continue;
            }
            if (timeout.IsCancellationRequested)
                throw new TimeoutException($"Nothing came to {queue} within {Patience.TotalSeconds} s. {before}");
            await Task.Delay(20, CancellationToken.None);
        }
    }

    public async Task<T> Next<T>(string queue) =>
        JsonDocument.Parse((await Next(queue)).Body).RootElement.GetProperty("message").Deserialize<T>(JsonSerializerOptions.Web)!;

    /// <summary>A queue that gets a copy of what is published of a type.</summary>
    public async Task<string> Tap<T>()
    {
        await using var channel = await Channel();
        var queue = $"{TapPrefix}{Federation}-{typeof(T).Name}";
        await channel.ExchangeDeclareAsync($"{typeof(T).Namespace}:{typeof(T).Name}", ExchangeType.Fanout, durable: true);
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false);
        await channel.QueueBindAsync(queue, $"{typeof(T).Namespace}:{typeof(T).Name}", "");
        return queue;
    }

    /// <summary>Puts any bytes into one queue.</summary>
    public async Task Put(string queue, byte[] body)
    {
        await using var channel = await _connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        await channel.BasicPublishAsync(
            "", queue, mandatory: true, new BasicProperties { ContentType = "application/vnd.masstransit+json" }, body);
    }

    /// <param name="answersTo">Where its envelope wants answers and faults to go.</param>
    public Task Put(string queue, string type, object message, Uri? answersTo = null) => Put(queue, JsonSerializer.SerializeToUtf8Bytes(
        new
        {
            messageId = Guid.NewGuid(),
            requestId = answersTo is null ? (Guid?)null : Guid.NewGuid(),
            messageType = new[] { $"urn:message:FedKSeed.Contracts:{type}" },
            faultAddress = answersTo,
            responseAddress = answersTo,
            message,
        }, JsonSerializerOptions.Web));

    /// <summary>Reason in the headers of the next message in the error queue of a queue, once there is one.</summary>
    public async Task<string> ReasonInErrorQueue(string queue, string before)
    {
        using var timeout = new CancellationTokenSource(Patience);
        // A queue that was declared this moment has a name before it has a process that could be asked for a message.
        while (await MessagesAsync(queue + "_error") == 0)
        {
            Assert.False(timeout.IsCancellationRequested, $"{queue} has no error queue, or nothing is in it. {before}");
            await Task.Delay(20, CancellationToken.None);
        }
        var message = await Next(queue + "_error", before);
        // A message that is of no type known here has no fault, only a reason.
        var headers = message.BasicProperties.Headers!;
        return Encoding.UTF8.GetString((byte[])(headers.TryGetValue("MT-Fault-Message", out var fault) ? fault : headers["MT-Reason"])!);
    }

    /// <summary>Puts messages into queues: each ends in the error queue of its own, with its reason.</summary>
    public async Task AssertKeptAsync(IReadOnlyCollection<(string Queue, Func<string, Task> Put, string Reason)> poison)
    {
        foreach (var (queue, put, _) in poison)
            await put(queue);
        foreach (var kept in poison.GroupBy(item => item.Queue))
        {
            var reasons = new List<string>();
            while (reasons.Count < kept.Count())
                reasons.Add(await ReasonInErrorQueue(kept.Key, string.Join(Environment.NewLine, reasons)));
            Assert.All(kept, item => Assert.Contains(reasons, reason => reason.Contains(item.Reason, StringComparison.Ordinal)));
        }
    }

    public async Task<bool> Exists(string queue) => await DeclaredAsync(queue) is not null;

    private async Task<uint> MessagesAsync(string queue) => (await DeclaredAsync(queue))?.MessageCount ?? 0;

    private async Task<QueueDeclareOk?> DeclaredAsync(string queue)
    {
        await using var channel = await Channel();
        try
        {
            return await channel.QueueDeclarePassiveAsync(queue);
        }
        catch (OperationInterruptedException)
        {
            return null;
        }
    }

    /// <summary>How many read a queue.</summary>
    public async Task<uint> ConsumersAsync(string queue)
    {
        await using var channel = await Channel();
        return (await channel.QueueDeclarePassiveAsync(queue)).ConsumerCount;
    }

    /// <summary>Takes all that came to a tap by now.</summary>
    public async Task<int> CountAsync(string tap)
    {
        await using var channel = await Channel();
        var count = 0;
        while (await channel.BasicGetAsync(tap, autoAck: true, CancellationToken.None) is { } message)
            count += IsOurs(tap, message) ? 1 : 0;
        return count;
    }

    public async Task UntilConsumersAsync(string queue, uint consumers)
    {
        using var timeout = new CancellationTokenSource(Patience);
        while (await ConsumersAsync(queue) != consumers)
            await Task.Delay(20, timeout.Token);
    }

    public async Task<SeedsAssigned> StartRound()
    {
        await Publish(new RoundStarted { Federation = Federation, Round = 1, Participants = [Client] });
        return await Next<SeedsAssigned>(QueueNames.OfClient(Client));
    }

    public async ValueTask DisposeAsync()
    {
        await _connection.DisposeAsync();
        await _host.StopAsync();
        _host.Dispose();
    }

    /// <summary>A tap also gets what is published for the federations of tests that run beside this one.</summary>
    private bool IsOurs(string queue, BasicGetResult message) => !queue.StartsWith(TapPrefix, StringComparison.Ordinal)
        || JsonDocument.Parse(message.Body).RootElement.GetProperty("message").GetProperty("federation").GetString() == Federation;

    private static async Task DeclareClientQueueAsync(IChannel channel, string name)
    {
        await channel.ExchangeDeclareAsync(name, ExchangeType.Fanout, durable: true);
        await channel.QueueDeclareAsync(
            name, durable: true, exclusive: false, autoDelete: false, QueueBounds.OfAClientsQueue.ToDictionary());
        await channel.QueueBindAsync(name, name, "");
    }
}
