using FedKSeed.Bus;
using FedKSeed.Operations;
using FedKSeed.Operations.Settings;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

public static class ClientWorkerRegistration
{
    /// <summary>What the process can be told.</summary>
    public static IReadOnlyList<SettingSection> Settings { get; } =
    [
        new("Bus", typeof(BusOptions)) { OtherwiseSay = BusOptions.OtherwiseSay },
        new("Federation", typeof(FederationOptions)) { IsShared = true },
        new("Worker", typeof(WorkerOptions)),
        new("Evaluator", typeof(EvaluatorOptions)),
        new("Torch", typeof(TorchOptions)),
        new("Health", typeof(HealthOptions)),
    ];

    /// <summary>ClientWorker: the clients of section "Worker", and the evaluator of section "Evaluator" if it names data.</summary>
    public static IHostApplicationBuilder AddClientWorker(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<WorkerOptions>().BindConfiguration("Worker").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<WorkerOptions>, ClientsValidation>();
        builder.Services.AddOptions<EvaluatorOptions>().BindConfiguration("Evaluator").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddMetrics();
        builder.Services.AddSingleton<WorkerMetrics>();
        builder.Services.AddSingleton<BaseModel>();
        builder.Services.AddSingleton<FederationBase>();
        if (!builder.Services.Any(service => service.ServiceType == typeof(ClientsHealthCheck)))
            builder.Services.AddSingleton<ClientsHealthCheck>().AddHealthChecks()
                .AddCheck<ClientsHealthCheck>("clients", tags: [Health.ReadyTag]);
        builder.Services.AddSingleton<LocalClients>();
        builder.Services.AddSingleton<RebuiltVersions>();
        builder.Services.AddSingleton<LocalTraining>();
        builder.Services.AddSingleton<FinishedReports>();
        builder.Services.AddSingleton<HeldVersions>();
        builder.Services.AddHostedService<ClientSessions>();
        if (Evaluates(builder.Configuration))
            builder.Services.AddSingleton<VersionScoring>();
        return builder;
    }

    public static void AddClientWorkerConsumers(this IBusRegistrationConfigurator bus, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(bus);
        bus.WaitWhileAway(FederationBus.IsBusAway);
        // Connected to each client's own queue once its data is loaded; see ClientSessions.
        bus.AddConsumer<SeedsAssignedConsumer>().ExcludeFromConfigureEndpoints();
        bus.AddConsumer<ReportRejectedConsumer>().ExcludeFromConfigureEndpoints();
        if (Evaluates(configuration))
            bus.AddConsumer<EvaluationRequestedConsumer, EvaluationRequestedConsumerDefinition>();
    }

    private static bool Evaluates(IConfiguration configuration) => !string.IsNullOrEmpty(configuration["Evaluator:Data"]);
}
