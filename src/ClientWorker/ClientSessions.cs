using FedKSeed.Contracts;
using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>Opens the queue of each client, then announces it at intervals: a client is alive when an assignment for it would be taken.</summary>
public sealed partial class ClientSessions(
    LocalClients clients, IReceiveEndpointConnector endpoints, IBus bus, FederationName federation, IOptions<WorkerOptions> options,
    TimeProvider time, ILogger<ClientSessions> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        foreach (var client in clients.All)
        {
            await endpoints.ConnectReceiveEndpoint(federation.QueueOf(client.Name), ConfigureQueue).Ready.WaitAsync(stoppingToken);
            Ready(client.Name, client.Sequences.Count);
        }
        using var heartbeat = new PeriodicTimer(options.Value.Heartbeat, time);
        do
        {
            foreach (var client in clients.All)
                await bus.Publish(Announcement(client), stoppingToken);
        }
        while (await heartbeat.WaitForNextTickAsync(stoppingToken));
    }

    private static void ConfigureQueue(IBusRegistrationContext context, IReceiveEndpointConfigurator endpoint)
    {
        FederationBus.UseConventions(endpoint);
        // Only what is sent to this client: its queue is bound to no published message.
        endpoint.ConfigureConsumeTopology = false;
        endpoint.PrefetchCount = 1;
        endpoint.ConcurrentMessageLimit = 1;
        endpoint.ConfigureConsumer<SeedsAssignedConsumer>(context);
        endpoint.ConfigureConsumer<ReportRejectedConsumer>(context);
    }

    private ClientAnnounced Announcement(LocalClient client) => new()
    {
        Federation = federation.Value,
        Client = client.Name,
        Worker = options.Value.Name,
        Examples = client.Sequences.Count,
        Device = "cpu",
    };

    [LoggerMessage(Level = LogLevel.Information, Message = "{Client} is ready with {Examples} examples")]
    private partial void Ready(string client, int examples);
}
