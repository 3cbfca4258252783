using FedKSeed.Bus;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using FedKSeed.Operations.Settings;
using FedKSeed.SeedService.Consumers;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace FedKSeed.SeedService;

public static class SeedServiceRegistration
{
    /// <summary>What the process can be told.</summary>
    public static IReadOnlyList<SettingSection> Settings { get; } =
    [
        new("Bus", typeof(BusOptions)) { OtherwiseSay = BusOptions.OtherwiseSay },
        new("Redis", typeof(RedisOptions)),
        new("Federation", typeof(FederationSettings)),
        new("Health", typeof(HealthOptions)),
    ];

    /// <summary>SeedService: the federation of section "Federation", its book on the Redis of section "Redis".</summary>
    /// <param name="settings">
    /// The federation's, as they are, for services that share a process with whoever made them; null reads the section.
    /// </param>
    public static IHostApplicationBuilder AddSeedService(this IHostApplicationBuilder builder, FederationSettings? settings = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddFederationBook();
        builder.Services.AddOptions<FederationSettings>().ValidateOnStart();
        builder.Services
            .AddSingleton<IOptionsFactory<FederationSettings>>(_ => new FederationSettingsFactory(builder.Configuration, settings));
        builder.Services.AddSingleton(_ => new Unsaid(Keep: settings is null && !SaysKeep(builder.Configuration)));
        builder.Services.AddHostedService<FederationOpening>();
        builder.Services.AddMetrics();
        builder.Services.AddSingleton<SeedServiceMetrics>();
        builder.Services.AddSingleton<VersionHistory>();
        return builder;
    }

    public static void AddSeedServiceConsumers(this IBusRegistrationConfigurator bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.WaitWhileAway(fault => LogStoreRegistration.IsStoreAway(fault) || FederationBus.IsBusAway(fault));
        bus.AddConsumer<RoundStartedConsumer>();
        bus.AddConsumer<ScalarsReportedConsumer, ScalarsReportedConsumerDefinition>();
        bus.AddConsumer<RoundClosedConsumer>();
        bus.AddConsumer<VersionRequestedConsumer>();
        bus.AddConsumer<ModelEvaluatedConsumer>();
        bus.AddConsumer<CloseFederationConsumer>();
    }

    private static bool SaysKeep(IConfiguration configuration) =>
        configuration[$"Federation:{nameof(FederationSettings.Keep)}"] is not null;

    /// <summary>The settings are immutable, so they are bound whole; every fault is reported at once.</summary>
    private sealed class FederationSettingsFactory(
        IConfiguration configuration,
        FederationSettings? given) : IOptionsFactory<FederationSettings>
    {
        public FederationSettings Create(string name)
        {
            var settings = given ?? configuration.GetSection("Federation").Get<FederationSettings>() ?? new FederationSettings();
            if (given is null && !SaysKeep(configuration))
                settings = settings with { Keep = KeptVersion.Best };
            var faults = settings.Faults().ToList();
            if (settings.BaseModelDigest.Length == 0)
                faults.Add("Federation:BaseModelDigest is not set: fedkseed digest MODEL prints it.");
            return faults.Count > 0 ? throw new OptionsValidationException("Federation", typeof(FederationSettings), faults) : settings;
        }
    }
}
