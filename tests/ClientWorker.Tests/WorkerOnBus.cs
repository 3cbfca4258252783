using System.Collections.Concurrent;
using System.Threading.Channels;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Operations;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FedKSeed.ClientWorker.Tests;

/// <summary>A worker on the bus within this process; the test sends it what services would, and reads what they would hear of it.</summary>
internal sealed class WorkerOnBus : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly IHost _host;
    private readonly Heard _heard;

    private WorkerOnBus(IHost host, Heard heard) => (_host, _heard) = (host, heard);

    public BaseModels Models => _host.Services.GetRequiredService<BaseModels>();

    public Memberships Memberships => _host.Services.GetRequiredService<Memberships>();

    /// <summary>What it logged as critical.</summary>
    public IReadOnlyCollection<string> Critical => _heard.Critical;

    public static async Task<WorkerOnBus> StartAsync(IEnumerable<KeyValuePair<string, string?>> settings)
    {
        // MassTransit keeps the logger of the first bus in this flow, which may belong to a host that was disposed.
        LogContext.Current = null;
        Heard heard = new();
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddProvider(heard);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Bus:Transport"] = "InMemory",
            ["Worker:Name"] = "worker",
            ["Worker:Device"] = "cpu",
            ["Worker:Parallelism"] = "2",
            ["Worker:Heartbeat"] = "00:00:00.100",
        });
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddSingleton(heard);
        builder.AddFederationBus(bus =>
        {
            bus.AddClientWorkerConsumers();
            bus.AddConsumer<HearingConsumer>();
        });
        builder.AddClientWorker();
        var host = builder.Build();
        await host.StartAsync();
        WorkerOnBus worker = new(host, heard);
        await worker.NextAsync<ClientAnnounced>();
        return worker;
    }

    /// <summary>What the process would be told of a membership of the sample's model.</summary>
    public static Dictionary<string, string?> Membership(int at, string federation, string data, params (string Key, string Value)[] more)
    {
        Dictionary<string, string?> settings = new()
        {
            [$"Memberships:{at}:Federation"] = federation,
            [$"Memberships:{at}:ModelFolder"] = Samples.Model,
            [$"Memberships:{at}:Clients:0:Name"] = "hospital",
            [$"Memberships:{at}:Clients:0:Data"] = data,
        };
        foreach (var (key, value) in more)
            settings[$"Memberships:{at}:{key}"] = value;
        return settings;
    }

    public async Task SendAsync<T>(string queue, T message) where T : class
    {
        var endpoint = await _host.Services.GetRequiredService<IBus>().GetSendEndpoint(QueueNames.AddressOf(queue));
        await endpoint.Send(message);
    }

    public Task AssignAsync(SeedsAssigned assignment) => SendAsync(QueueNames.OfClient("hospital"), assignment);

    /// <summary>The next message of a type that it published.</summary>
    public async Task<T> NextAsync<T>() where T : class
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(Patience);
        return (T)await _heard.Of(typeof(T)).Reader.ReadAsync(timeout.Token);
    }

    /// <summary>Why the next message of a type that it could not work off was put aside.</summary>
    public async Task<string> NextFaultAsync<T>() => (await NextAsync<Fault<T>>()).Exceptions.Single().Message;

    public async Task<HealthReport> ReadinessAsync() =>
        await _host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(check => check.Tags.Contains(Health.ReadyTag));

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }

    private sealed class Heard : ILoggerProvider, ILogger
    {
        private readonly ConcurrentDictionary<Type, Channel<object>> _byType = new();

        public ConcurrentQueue<string> Critical { get; } = new();

        public Channel<object> Of(Type type) => _byType.GetOrAdd(type, _ => Channel.CreateUnbounded<object>());

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel == LogLevel.Critical;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                Critical.Enqueue(formatter(state, exception));
        }

        public void Dispose()
        {
        }
    }

    private sealed class HearingConsumer(Heard heard) : IConsumer<ClientAnnounced>, IConsumer<EvaluatorAnnounced>,
        IConsumer<ScalarsReported>, IConsumer<VersionRequested>, IConsumer<ModelEvaluated>, IConsumer<Fault<SeedsAssigned>>,
        IConsumer<Fault<EvaluationRequested>>
    {
        public Task Consume(ConsumeContext<ClientAnnounced> context) => HearAsync(context);

        public Task Consume(ConsumeContext<EvaluatorAnnounced> context) => HearAsync(context);

        public Task Consume(ConsumeContext<ScalarsReported> context) => HearAsync(context);

        public Task Consume(ConsumeContext<VersionRequested> context) => HearAsync(context);

        public Task Consume(ConsumeContext<ModelEvaluated> context) => HearAsync(context);

        public Task Consume(ConsumeContext<Fault<SeedsAssigned>> context) => HearAsync(context);

        public Task Consume(ConsumeContext<Fault<EvaluationRequested>> context) => HearAsync(context);

        private Task HearAsync<T>(ConsumeContext<T> context) where T : class =>
            heard.Of(typeof(T)).Writer.WriteAsync(context.Message, context.CancellationToken).AsTask();
    }
}
