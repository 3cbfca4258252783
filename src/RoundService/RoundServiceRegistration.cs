using FedKSeed.Bus;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using FedKSeed.Operations.Settings;
using FedKSeed.RoundService.Api;
using MassTransit;

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
        new("Api", typeof(ApiOptions)),
    ];

    /// <summary>RoundService: the clocks of all federations of the store, and, in a process that serves the web, the API.</summary>
    public static IHostApplicationBuilder AddRoundService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddLogStore();
        builder.Services.AddOptions<RoundServiceOptions>().BindConfiguration("RoundService").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddMetrics();
        builder.Services.AddSingleton<FederationGauges>();
        builder.Services.AddSingleton<WakeUps>();
        builder.Services.AddHostedService<RoundClocks>();
        if (builder is WebApplicationBuilder web)
            web.AddApi();
        return builder;
    }

    public static void AddRoundServiceConsumers(this IBusRegistrationConfigurator bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.WaitWhileAway(LogStoreRegistration.IsStoreAway);
        bus.AddConsumer<ClientAnnouncedConsumer>();
        bus.AddConsumer<ProgressConsumer>();
    }

    /// <summary>The window to the world: health, for everybody; metrics and the API, for whoever has a token.</summary>
    public static void MapRoundService(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapHealth();
        app.MapApi();
    }
}
