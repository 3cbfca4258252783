using System.Globalization;
using FedKSeed.Cli.Display;
using FedKSeed.ClientWorker;
using FedKSeed.Contracts;
using FedKSeed.RoundService;
using FedKSeed.SeedService;
using MassTransit;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FedKSeed.Cli.Run;

/// <summary>A whole federation in one process: the registrations of the services, on one in-memory bus and one store.</summary>
public static class FederationRun
{
    /// <param name="redis">StackExchange.Redis configuration of the store.</param>
    /// <param name="isVerbose">Logs of the services go to the error stream.</param>
    public static IHost Compose(RunPlan plan, RunFolder folder, string redis, FederationWatch watch, bool isVerbose)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(Configuration(plan, redis));
        if (isVerbose)
            builder.Logging.AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace);

        builder.Services.AddSingleton(folder);
        builder.Services.AddSingleton(watch);
        builder.Services.AddSingleton<RunRecorder>();
        builder.Services.AddHostedService(services => services.GetRequiredService<RunRecorder>());
        builder.AddFederationBus(bus =>
        {
            bus.AddRoundServiceConsumers();
            bus.AddSeedServiceConsumers();
            bus.AddClientWorkerConsumers(builder.Configuration);
            bus.AddConsumer<FederationWatchConsumer, FederationWatchConsumerDefinition>();
            bus.AddConsumer<MeasurementConsumer>();
            bus.AddConsumer<FaultConsumer>();
        });
        builder.AddSeedService();
        builder.AddRoundService();
        builder.AddClientWorker();
        // A worker that is stopped leaves its assignment; the next run works it off again.
        builder.Services.Configure<MassTransitHostOptions>(host =>
        {
            host.ConsumerStopTimeout = TimeSpan.FromSeconds(1);
            host.StopTimeout = TimeSpan.FromSeconds(5);
        });
        return builder.Build();
    }

    private static Dictionary<string, string?> Configuration(RunPlan plan, string redis)
    {
        var configuration = new Dictionary<string, string?>
        {
            ["Bus:Transport"] = nameof(BusTransport.InMemory),
            ["Redis:Connection"] = redis,
            // In one process nobody disappears alone, and a busy machine may delay a heartbeat.
            ["RoundService:ClientTimeout"] = "00:02:00",
            ["Worker:ModelFolder"] = plan.Model,
            ["Worker:PromptFile"] = plan.Prompt,
            ["Worker:ChatForm"] = Text(plan.ChatForm),
            ["Worker:Format"] = Text(plan.Format),
            ["Worker:Parallelism"] = Text(plan.Threads),
            ["Worker:MaximumTokens"] = Text(plan.MaximumTokens),
            ["Evaluator:Data"] = plan.HeldOut,
            ["Evaluator:Limit"] = Text(plan.EvaluationLimit),
            ["Evaluator:MaximumNewTokens"] = Text(plan.MaximumNewTokens),
        };
        foreach (var property in plan.Federation.GetType().GetProperties().Where(property => property.CanWrite))
            configuration[$"Federation:{property.Name}"] = Text(property.GetValue(plan.Federation));
        foreach (var ((name, file), at) in plan.ClientFiles().Select((client, at) => (client, at)))
        {
            configuration[$"Worker:Clients:{at}:Name"] = name;
            configuration[$"Worker:Clients:{at}:Data"] = file;
        }
        return configuration;
    }

    private static string? Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture);
}

/// <summary>Hands what is measured in messages to the recorder.</summary>
public sealed class MeasurementConsumer(RunRecorder recorder) : IConsumer<LocalProgress>, IConsumer<ReportAccepted>
{
    public Task Consume(ConsumeContext<LocalProgress> context)
    {
        recorder.Observe(context.Message);
        return Task.CompletedTask;
    }

    public Task Consume(ConsumeContext<ReportAccepted> context)
    {
        recorder.Observe(context.Message);
        return Task.CompletedTask;
    }
}

/// <summary>A message that could not be worked off after all retries ends a run: there is nobody else to take it.</summary>
public sealed class FaultConsumer(RunRecorder recorder) : IConsumer<Fault>
{
    public Task Consume(ConsumeContext<Fault> context)
    {
        var fault = context.Message;
        var message = fault.FaultMessageTypes.FirstOrDefault()?.Split(':')[^1] ?? "A message";
        recorder.Fail($"{message} could not be worked off: {fault.Exceptions.FirstOrDefault()?.Message ?? "no reason given"}");
        return Task.CompletedTask;
    }
}
