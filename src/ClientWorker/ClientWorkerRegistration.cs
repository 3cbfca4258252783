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
        new("Worker", typeof(WorkerOptions)) { InsteadOf = OfEachMembership(
            nameof(MembershipOptions.ModelFolder), nameof(MembershipOptions.PromptFile), nameof(MembershipOptions.ChatForm),
            nameof(MembershipOptions.Format), nameof(MembershipOptions.Fields), nameof(MembershipOptions.Clients),
            nameof(MembershipOptions.MaximumTokens), nameof(MembershipOptions.LongExamples)) },
        new(MembershipOptions.Section, typeof(List<MembershipOptions>))
        {
            OtherwiseSay = "a worker needs Memberships:0:Federation, Memberships:0:ModelFolder and Memberships:0:Clients:0:Name and :Data, "
                + "and so on for each federation that it works in.",
        },
        SettingSection.Gone("Federation", "a worker is told the federations that it works in as Memberships:0:Federation and "
            + "Memberships:0:BaseModelDigest, the room for a prompt as Memberships:0:VirtualTokens."),
        SettingSection.Gone("Evaluator", "each membership has its own, Memberships:0:Evaluator:Data and so on."),
        new("Torch", typeof(TorchOptions)),
        new("Health", typeof(HealthOptions)),
    ];

    /// <summary>ClientWorker: the clients and evaluators of section "Memberships".</summary>
    public static IHostApplicationBuilder AddClientWorker(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOptions<WorkerOptions>().BindConfiguration("Worker").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<List<MembershipOptions>>().Configure<IConfiguration>(MembershipOptions.Read).ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<List<MembershipOptions>>, MembershipsValidation>();
        builder.Services.AddOptions<TorchOptions>().BindConfiguration("Torch");
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddMetrics();
        builder.Services.AddSingleton<WorkerMetrics>();
        builder.Services.AddSingleton<BaseModels>();
        builder.Services.AddSingleton<Memberships>();
        builder.Services.AddSingleton<LocalTraining>();
        builder.Services.AddHostedService<ClientSessions>();
        if (!builder.Services.Any(service => service.ServiceType == typeof(ClientsHealthCheck)))
            builder.Services.AddSingleton<ClientsHealthCheck>().AddHealthChecks()
                .AddCheck<ClientsHealthCheck>("clients", tags: [Health.ReadyTag]);
        return builder;
    }

    public static void AddClientWorkerConsumers(this IBusRegistrationConfigurator bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        // Connected to the queues of clients and evaluators once their data is loaded; see ClientSessions. A worker names no federations to
        // FederationFilter: what is sent to a client for one that it is no member of is for its operator to see, in the error queue, and
        // not to be dropped.
        bus.AddConsumer<SeedsAssignedConsumer>().ExcludeFromConfigureEndpoints();
        bus.AddConsumer<ReportRejectedConsumer>().ExcludeFromConfigureEndpoints();
        bus.AddConsumer<EvaluationRequestedConsumer>().ExcludeFromConfigureEndpoints();
    }

    private static Dictionary<string, string> OfEachMembership(params string[] settings) =>
        settings.ToDictionary(setting => setting, setting => $"each membership has its own, {MembershipOptions.Section}:0:{setting}.");
}
