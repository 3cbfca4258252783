using FedKSeed.Bus;
using FedKSeed.Federation;
using FedKSeed.LogStore;
using FedKSeed.SeedService.Consumers;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace FedKSeed.SeedService;

public static class SeedServiceRegistration
{
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
        builder.Services.AddHostedService<FederationOpening>();
        builder.Services.AddMetrics();
        builder.Services.AddSingleton<SeedServiceMetrics>();
        return builder;
    }

    public static void AddSeedServiceConsumers(this IBusRegistrationConfigurator bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.WaitWhileAway(fault => LogStoreRegistration.IsStoreAway(fault) || FederationBus.IsBusAway(fault));
        bus.AddConsumer<RoundStartedConsumer>();
        bus.AddConsumer<ScalarsReportedConsumer, ScalarsReportedConsumerDefinition>();
        bus.AddConsumer<RoundClosedConsumer>();
        bus.AddConsumer<ModelEvaluatedConsumer>();
        bus.AddConsumer<CloseFederationConsumer>();
    }

    /// <summary>The settings are immutable, so they are bound whole; every fault is reported at once.</summary>
    private sealed class FederationSettingsFactory(
        IConfiguration configuration,
        FederationSettings? given) : IOptionsFactory<FederationSettings>
    {
        public FederationSettings Create(string name)
        {
            var settings = given ?? configuration.GetSection("Federation").Get<FederationSettings>() ?? new FederationSettings();
            return settings.Faults() is { Count: > 0 } faults
                ? throw new OptionsValidationException("Federation", typeof(FederationSettings), faults)
                : settings;
        }
    }
}
