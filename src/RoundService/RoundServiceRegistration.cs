using FedKSeed.Bus;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using FedKSeed.Operations.Settings;
using MassTransit;
using Microsoft.Extensions.Options;

namespace FedKSeed.RoundService;

public static class RoundServiceRegistration
{
    /// <summary>What the process can be told.</summary>
    public static IReadOnlyList<SettingSection> Settings { get; } =
    [
        new("Bus", typeof(BusOptions)) { OtherwiseSay = BusOptions.OtherwiseSay },
        new("Redis", typeof(RedisOptions)),
        SettingSection.Gone("Federation", "services serve every federation of their store; fedkseed open FILE opens one."),
        new("RoundService", typeof(RoundServiceOptions)),
    ];

    /// <summary>RoundService: the clocks of all federations of the store.</summary>
    public static IHostApplicationBuilder AddRoundService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddLogStore();
        builder.Services.AddOptions<RoundServiceOptions>().BindConfiguration("RoundService").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<WakeUps>();
        builder.Services.AddHostedService<RoundClocks>();
        return builder;
    }

    public static void AddRoundServiceConsumers(this IBusRegistrationConfigurator bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.WaitWhileAway(LogStoreRegistration.IsStoreAway);
        bus.AddConsumer<ClientAnnouncedConsumer>();
        bus.AddConsumer<ProgressConsumer>();
    }

    /// <summary>The window to the world: health, and the federations as JSON.</summary>
    public static void MapRoundService(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapHealth();
        app.MapGet("/api/federations", async (FederationRegistry registry, CancellationToken cancel) =>
            (await registry.AllAsync(cancel)).Values);
        app.MapGet("/api/federations/{name}", async (
            string name, FederationBooks books, RedisPresences presences, IOptions<RoundServiceOptions> options,
            CancellationToken cancel) =>
            FederationStatus.Of(
                await (await books.OfAsync(name, cancel)).RefreshAsync(cancel),
                await presences.Of(name).AliveAsync(options.Value.ClientTimeout, cancel)));
    }
}
