using FedKSeed.Bus;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using FedKSeed.Operations.Settings;
using FedKSeed.SeedService.Consumers;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FedKSeed.SeedService;

public static class SeedServiceRegistration
{
    /// <summary>What the process can be told.</summary>
    public static IReadOnlyList<SettingSection> Settings { get; } =
    [
        new("Bus", typeof(BusOptions)) { OtherwiseSay = BusOptions.OtherwiseSay },
        new("Redis", typeof(RedisOptions)),
        SettingSection.Gone("Federation", "services serve every federation of their store; fedkseed open FILE opens one."),
        new("Health", typeof(HealthOptions)),
    ];

    /// <summary>SeedService: the books of all federations on the Redis of section "Redis".</summary>
    public static IHostApplicationBuilder AddSeedService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddLogStore();
        builder.Services.AddMetrics();
        builder.Services.AddSingleton<SeedServiceMetrics>();
        builder.Services.AddSingleton<VersionHistories>();
        builder.Services.AddSingleton<Evaluations>();
        builder.Services.AddHostedService<RegistryRepair>();
        return builder;
    }

    public static void AddSeedServiceConsumers(this IBusRegistrationConfigurator bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.WaitWhileAway(fault => LogStoreRegistration.IsStoreAway(fault) || FederationBus.IsBusAway(fault));
        bus.AddConsumer<OpenFederationConsumer>();
        bus.AddConsumer<RoundStartedConsumer>();
        bus.AddConsumer<ScalarsReportedConsumer, ScalarsReportedConsumerDefinition>();
        bus.AddConsumer<RoundClosedConsumer>();
        bus.AddConsumer<VersionRequestedConsumer>();
        bus.AddConsumer<ModelEvaluatedConsumer>();
        bus.AddConsumer<EvaluatorAnnouncedConsumer>();
        bus.AddConsumer<SteeringConsumer>();
        bus.AddConsumer<CloseFederationConsumer>();
        bus.AddConsumer<RemoveFederationConsumer>();
    }
}
