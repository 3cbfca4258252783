using FedKSeed.Bus;
using FedKSeed.Contracts;
using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>
/// Opens the queue of each client, then announces it at intervals: a client is alive when an assignment for it would be taken.
/// </summary>
public sealed partial class ClientSessions(
    LocalClients clients, BaseModel model, FederationBase baseModel, ClientsHealthCheck health, IReceiveEndpointConnector endpoints,
    IBus bus, FederationName federation, IOptions<WorkerOptions> options, TimeProvider time, ILogger<ClientSessions> log)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (baseModel.Wrong.IsCancellationRequested)
            return;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, baseModel.Wrong);
        var queues = new List<HostReceiveEndpointHandle>();
        try
        {
            foreach (var client in clients.All)
            {
                queues.Add(endpoints.ConnectReceiveEndpoint(federation.QueueOf(client.Name), ConfigureQueue));
                await queues[^1].Ready.WaitAsync(either.Token);
                Ready(client.Name, client.Sequences.Count);
            }
            health.Ready();
            await AnnounceAsync(either.Token);
        }
        catch (OperationCanceledException) when (baseModel.Wrong.IsCancellationRequested && !stoppingToken.IsCancellationRequested)
        {
            // Workers with the right model, if the clients have others, get what comes from now on.
            await Task.WhenAll(queues.Select(queue => queue.StopAsync(stoppingToken)));
        }
    }

    private async Task AnnounceAsync(CancellationToken cancel)
    {
        using var heartbeat = new PeriodicTimer(options.Value.Heartbeat, time);
        do
        {
            try
            {
                foreach (var client in clients.All)
                    // While RoundService is away, its queue holds no more than three of each client.
                    await bus.PublishInTimeAsync(Announcement(client), 3 * options.Value.Heartbeat, cancel);
            }
            catch (Exception fault) when (FederationBus.IsBusAway(fault))
            {
                Away(fault.Message);
            }
        }
        while (await heartbeat.WaitForNextTickAsync(cancel));
    }

    private static void ConfigureQueue(IBusRegistrationContext context, IReceiveEndpointConfigurator endpoint)
    {
        FederationBus.UseConventions(endpoint);
        endpoint.WaitWhileAway(FederationBus.IsBusAway);
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
        Device = model.Device,
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "The clients are announced again later: {Reason}")]
    private partial void Away(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Client} is ready with {Examples} examples")]
    private partial void Ready(string client, int examples);
}
