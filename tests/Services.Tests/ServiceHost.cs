using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using FedKSeed.RoundService;
using FedKSeed.SeedService;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FedKSeed.Services.Tests;

/// <summary>
/// Services and a federation in this process, as `fedkseed run` composes them, on a real Redis; the test is the clients.
/// </summary>
public sealed class ServiceHost : IAsyncDisposable
{
    private readonly IHost _host;
    private bool _isDisposed;

    private ServiceHost(IHost host, string federation, FederationBook book) => (_host, Federation, Book) = (host, federation, book);

    public string Federation { get; }

    public FederationBook Book { get; }

    /// <summary>What the services publish.</summary>
    public Inbox Published { get; } = new();

    /// <summary>What the client's own queue got.</summary>
    public Inbox Client { get; } = new();

    public FederationBooks Books => _host.Services.GetRequiredService<FederationBooks>();

    /// <summary>What the evaluator's own queue got.</summary>
    public Inbox Evaluator { get; } = new();

    /// <summary>Where the API is, and what it says of itself; only of a host that was started with it.</summary>
    public Uri Address => new(((WebApplication)_host).Urls.Single());

    public IReadOnlyList<RouteEndpoint> Endpoints =>
        [.. _host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()];

    public Task<RegisteredFederation?> RegisteredAsync(string name) =>
        _host.Services.GetRequiredService<FederationRegistry>().FindAsync(name, CancellationToken.None);

    public AccessTokens Tokens => _host.Services.GetRequiredService<AccessTokens>();

    public static Task<ServiceHost> StartAsync(
        RedisServer redis, string federation, bool rounds = false, params (string Key, string Value)[] settings) =>
        StartAsync(redis, federation, rounds, Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true }),
            settings);

    /// <summary>With the API, as the process of RoundService serves it, on a free port.</summary>
    /// <param name="url">Null for every address of this machine, told to the server itself.</param>
    public static Task<ServiceHost> StartWithApiAsync(
        RedisServer redis, string federation, TimeProvider? time = null, string? url = "http://127.0.0.1:0",
        params (string Key, string Value)[] settings)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        if (url is null)
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenAnyIP(0));
        else
            builder.WebHost.UseUrls(url);
        builder.Services.AddRouting();
        builder.AddReadiness();
        builder.Services.AddSingleton(time ?? TimeProvider.System);
        return StartAsync(redis, federation, rounds: true, builder, settings);
    }

    private static async Task<ServiceHost> StartAsync(
        RedisServer redis, string federation, bool rounds, IHostApplicationBuilder builder, (string Key, string Value)[] settings)
    {
        // MassTransit keeps the logger of the first bus in this flow, which may belong to a host that was disposed.
        LogContext.Current = null;
        builder.Logging.AddConsole().SetMinimumLevel(LogLevel.Error);
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Redis:Connection"] = redis.Of(federation).Connection,
            ["Federation:Name"] = federation,
            ["Federation:Keep"] = "Best",
            ["Federation:BaseModelDigest"] = new string('a', 64),
            ["Federation:Directions:SeedCount"] = "4096",
            ["Federation:StepsPerRound"] = "200",
            ["Federation:Rounds"] = "3",
            ["Federation:EvaluateEvery"] = "0",
            ["RoundService:Tick"] = "00:00:00.050",
        });
        builder.Configuration.AddInMemoryCollection(settings.ToDictionary(item => item.Key, item => (string?)item.Value));
        builder.AddFederationBus(bus =>
        {
            bus.AddSeedServiceConsumers();
            if (rounds)
                bus.AddRoundServiceConsumers();
        });
        builder.AddSeedService();
        if (rounds)
            builder.AddRoundService();
        var host = Build(builder);
        var books = host.Services.GetRequiredService<FederationBooks>();
        await books.OpenAsync(
            builder.Configuration.GetSection("Federation").Get<FederationSettings>()!, actor: null, CancellationToken.None);
        var services = new ServiceHost(host, federation, await books.OfAsync(federation, CancellationToken.None));
        try
        {
            await host.StartAsync();
        }
        catch
        {
            await services.DisposeAsync();
            throw;
        }
        await services.ListenAsync();
        return services;
    }

    private static IHost Build(IHostApplicationBuilder builder)
    {
        if (builder is not WebApplicationBuilder web)
            return ((HostApplicationBuilder)builder).Build();
        var app = web.Build();
        app.MapRoundService();
        return app;
    }

    public Task Publish<T>(T message) where T : class => _host.Services.GetRequiredService<IBus>().Publish(message);

    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
            return;
        _isDisposed = true;
        await _host.StopAsync();
        _host.Dispose();
    }

    private async Task ListenAsync()
    {
        var bus = _host.Services.GetRequiredService<IBusControl>();
        await bus.ConnectReceiveEndpoint("test-published", endpoint =>
        {
            Published.Listen<RoundStarted>(endpoint);
            Published.Listen<RoundClosed>(endpoint);
            Published.Listen<RoundCommitted>(endpoint);
            Published.Listen<ReportAccepted>(endpoint);
            Published.Listen<ReportRejected>(endpoint);
            Published.Listen<FederationOpened>(endpoint);
            Published.Listen<FederationClosed>(endpoint);
            Published.Listen<Fault<OpenFederation>>(endpoint);
            Published.Listen<Fault<RemoveFederation>>(endpoint);
            Published.Listen<ScalarsReported>(endpoint);
            Published.Listen<Fault<RoundStarted>>(endpoint);
            Published.Listen<Fault<RoundClosed>>(endpoint);
        }).Ready;
        await bus.ConnectReceiveEndpoint(QueueNames.OfClient("a"), endpoint =>
        {
            endpoint.ConfigureConsumeTopology = false;
            Client.Listen<SeedsAssigned>(endpoint);
            Client.Listen<ReportRejected>(endpoint);
        }).Ready;
        await bus.ConnectReceiveEndpoint(QueueNames.OfEvaluator("e"), endpoint =>
        {
            endpoint.ConfigureConsumeTopology = false;
            Evaluator.Listen<EvaluationRequested>(endpoint);
        }).Ready;
    }
}
