using System.Collections.Concurrent;
using System.Globalization;
using FedKSeed.Bus;
using FedKSeed.SeedService;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace FedKSeed.Cluster.Tests;

public sealed class ReconnectTests(Servers servers)
{
    /// <summary>
    /// MassTransit by itself waits 5 s after the first fault of an endpoint, then 12, then 25, and for half a minute after every later one
    /// in the life of the process.
    /// </summary>
    [Fact]
    public async Task A_service_that_cannot_read_its_queue_tries_every_second_until_it_can()
    {
        var cancel = TestContext.Current.CancellationToken;
        var place = servers.Of("often-refused");
        const string queue = "fedkseed-service-round-closed";
        await using var connection = await new ConnectionFactory { Uri = place.Broker }.CreateConnectionAsync(cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancel);
        // Another type than the service's: the broker refuses its declaration, and closes the channel.
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, cancellationToken: cancel);
        using var waits = new Waits();
        using var host = SeedService(place, waits);
        var starting = host.StartAsync(cancel);
        while (waits.All.Count < 4)
            await Task.Delay(100, cancel);
        Assert.False(starting.IsCompleted);

        await channel.QueueDeleteAsync(queue, cancellationToken: cancel);

        await starting;
        Assert.All(waits.All, wait => Assert.Equal(TimeSpan.FromSeconds(1), wait));
        await host.StopAsync(cancel);
    }

    private static IHost SeedService(Place place, ILoggerProvider logger)
    {
        // MassTransit keeps the logger of the first bus in this flow, which may belong to a host that was disposed.
        LogContext.Current = null;
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddProvider(logger);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Bus:Transport"] = "RabbitMq",
            ["Bus:Broker"] = place.Broker.ToString(),
            ["Redis:Connection"] = place.Redis,
        });
        builder.AddFederationBus(bus => bus.AddSeedServiceConsumers());
        builder.AddSeedService();
        return builder.Build();
    }

    /// <summary>What MassTransit says of its waits before it reads a queue again.</summary>
    private sealed class Waits : ILoggerProvider, ILogger
    {
        private const string Before = "Retrying ";

        public ConcurrentQueue<TimeSpan> All { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (formatter(state, exception) is var line && line.StartsWith(Before, StringComparison.Ordinal))
                All.Enqueue(TimeSpan.Parse(line[Before.Length..].Split(": ")[0], CultureInfo.InvariantCulture));
        }

        public void Dispose()
        {
        }
    }
}
