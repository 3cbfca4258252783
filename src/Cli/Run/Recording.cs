using FedKSeed.Contracts;
using FedKSeed.LogStore;
using FedKSeed.Observation;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FedKSeed.Cli.Run;

/// <summary>The federation that is recorded: others may share its broker and its store.</summary>
public sealed record RecordedFederation(string Name);

/// <summary>
/// What follows a federation from the outside, wherever its services live: the display's view, the copied log, the metrics.
/// </summary>
internal static class Recording
{
    public static void AddRecording(this IHostApplicationBuilder builder, string federation, RunFolder folder, FederationWatch watch)
    {
        builder.AddLogStore();
        builder.Services.AddSingleton(new RecordedFederation(federation));
        builder.Services.AddSingleton(folder);
        builder.Services.AddSingleton(watch);
        builder.Services.AddSingleton<RunRecorder>();
        builder.Services.AddHostedService(services => services.GetRequiredService<RunRecorder>());
    }

    public static void AddRecordingConsumers(this IBusRegistrationConfigurator bus)
    {
        bus.AddConsumer<FederationWatchConsumer, FederationWatchConsumerDefinition>();
        bus.AddConsumer<MeasurementConsumer>();
    }
}

/// <summary>Hands what is measured in messages to the recorder.</summary>
public sealed class MeasurementConsumer(RunRecorder recorder, RecordedFederation federation)
    : IConsumer<LocalProgress>, IConsumer<ReportAccepted>
{
    public Task Consume(ConsumeContext<LocalProgress> context)
    {
        if (context.Message.Federation == federation.Name)
            recorder.Observe(context.Message);
        return Task.CompletedTask;
    }

    public Task Consume(ConsumeContext<ReportAccepted> context)
    {
        if (context.Message.Federation == federation.Name)
            recorder.Observe(context.Message);
        return Task.CompletedTask;
    }
}
