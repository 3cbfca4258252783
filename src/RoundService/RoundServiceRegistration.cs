using FedKSeed.Bus;
using FedKSeed.Federation;
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
        new("Federation", typeof(FederationSettings)) { Read = [nameof(FederationSettings.Name)] },
        new("RoundService", typeof(RoundServiceOptions)),
    ];

    /// <summary>RoundService: the clock of the federation that "Federation:Name" names.</summary>
    public static IHostApplicationBuilder AddRoundService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddFederationBook();
        builder.Services.AddOptions<RoundServiceOptions>().BindConfiguration("RoundService").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<WakeUp>();
        builder.Services.AddHostedService<RoundClock>();
        return builder;
    }

    public static void AddRoundServiceConsumers(this IBusRegistrationConfigurator bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.WaitWhileAway(LogStoreRegistration.IsStoreAway);
        bus.AddConsumer<ClientAnnouncedConsumer>();
        bus.AddConsumer<ProgressConsumer>();
    }

    /// <summary>The window to the world: health, and the federation as JSON.</summary>
    public static void MapRoundService(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.MapHealth();
        app.MapGet("/federation", async (
            FederationBook book, RedisPresence presence, IOptions<RoundServiceOptions> options, CancellationToken cancel) =>
            FederationStatus.Of(await book.RefreshAsync(cancel), await presence.AliveAsync(options.Value.ClientTimeout, cancel)));
    }
}
