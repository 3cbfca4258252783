using FedKSeed.Bus;
using FedKSeed.Contracts;
using MassTransit;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>
/// Opens a queue for each client and one for each evaluator, in however many federations they are, then announces them at intervals: one is
/// alive when what is sent to it would be taken. A membership with another base model than its federation's is not among them.
/// </summary>
public sealed partial class ClientSessions(
    Memberships memberships, BaseModels models, ClientsHealthCheck health, IReceiveEndpointConnector endpoints, IBus bus,
    IOptions<WorkerOptions> options, TimeProvider time, ILogger<ClientSessions> log)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var clients = memberships.Working.SelectMany(membership => membership.Clients.All).Select(client => client.Name);
        foreach (var client in clients.Distinct())
            await OpenAsync(
                QueueNames.OfClient(client),
                (context, endpoint) =>
                {
                    endpoint.ConfigureConsumer<SeedsAssignedConsumer>(context);
                    endpoint.ConfigureConsumer<ReportRejectedConsumer>(context);
                },
                stoppingToken);
        var evaluators = memberships.Working.Select(membership => membership.Scoring?.Evaluator).OfType<string>();
        foreach (var evaluator in evaluators.Distinct())
            await OpenAsync(
                QueueNames.OfEvaluator(evaluator),
                (context, endpoint) => endpoint.ConfigureConsumer<EvaluationRequestedConsumer>(context),
                stoppingToken);
        SayReady();
        health.Ready();
        await AnnounceAsync(stoppingToken);
    }

    private async Task OpenAsync(
        string queue, Action<IBusRegistrationContext, IReceiveEndpointConfigurator> consumers, CancellationToken cancel)
    {
        var connected = endpoints.ConnectReceiveEndpoint(queue, (context, endpoint) =>
        {
            FederationBus.UseConventions(endpoint, context);
            endpoint.HoldAsAClientsQueue();
            endpoint.WaitWhileAway(FederationBus.IsBusAway);
            // Only what is sent to this client or evaluator: its queue is bound to no published message.
            endpoint.ConfigureConsumeTopology = false;
            endpoint.PrefetchCount = 1;
            endpoint.ConcurrentMessageLimit = 1;
            consumers(context, endpoint);
        });
        await connected.Ready.WaitAsync(cancel);
    }

    private async Task AnnounceAsync(CancellationToken cancel)
    {
        var clients = memberships.Working.SelectMany(membership => membership.Clients.All, Announcement).ToArray();
        var evaluators = memberships.Working.Where(membership => membership.Scoring is not null).Select(Announcement).ToArray();
        var (areClientsAway, areEvaluatorsAway) = (false, false);
        using var heartbeat = new PeriodicTimer(options.Value.Heartbeat, time);
        do
        {
            // Clients are RoundService's to hear of and evaluators SeedService's, and one of these may be away without the other.
            areClientsAway = await AnnounceAsync("clients", clients, areClientsAway, cancel);
            areEvaluatorsAway = await AnnounceAsync("evaluators", evaluators, areEvaluatorsAway, cancel);
        }
        while (await heartbeat.WaitForNextTickAsync(cancel));
    }

    /// <param name="wasAway">Whether who listens to them was away the last time, and that was said.</param>
    /// <returns>Whether it is now.</returns>
    private async Task<bool> AnnounceAsync<T>(string whom, T[] announcements, bool wasAway, CancellationToken cancel) where T : class
    {
        try
        {
            foreach (var announcement in announcements)
                // While a service is away, its queue holds no more than three of each.
                await bus.PublishInTimeAsync(announcement, 3 * options.Value.Heartbeat, cancel);
            if (wasAway)
                Back(whom);
            return false;
        }
        catch (Exception fault) when (FederationBus.IsBusAway(fault))
        {
            if (!wasAway)
                Away(whom, fault.Message);
            return true;
        }
    }

    private ClientAnnounced Announcement(Membership membership, LocalClient client) => new()
    {
        Federation = membership.Federation,
        Client = client.Name,
        Worker = options.Value.Name,
        Examples = client.Sequences.Count,
        Device = models.Device,
    };

    private EvaluatorAnnounced Announcement(Membership membership) => new()
    {
        Federation = membership.Federation,
        Evaluator = membership.Scoring!.Evaluator,
        Worker = options.Value.Name,
        Examples = membership.Scoring.Examples,
        Device = models.Device,
    };

    private void SayReady()
    {
        foreach (var membership in memberships.Working)
        {
            foreach (var client in membership.Clients.All)
                Ready(client.Name, membership.Federation, client.Sequences.Count);
            if (membership.Scoring is { } scoring)
                Evaluates(scoring.Evaluator, membership.Federation, scoring.Examples);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The {Whom} are announced again later: {Reason}")]
    private partial void Away(string whom, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The {Whom} are announced again")]
    private partial void Back(string whom);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Client} is ready for {Federation} with {Examples} examples")]
    private partial void Ready(string client, string federation, int examples);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Evaluator} is ready to score versions of {Federation} on {Examples} examples")]
    private partial void Evaluates(string evaluator, string federation, int examples);
}

/// <summary>Ready when the queues of all clients and evaluators are open, and every membership has its federation's base model.</summary>
public sealed class ClientsHealthCheck(Memberships memberships) : IHealthCheck
{
    private volatile bool _areReady;

    /// <summary>Every client can take an assignment, and every evaluator a version.</summary>
    public void Ready() => _areReady = true;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var wrong = memberships.All.Where(membership => membership.Base.IsWrong).Select(membership => membership.Federation).ToArray();
        return Task.FromResult(
            wrong.Length > 0 ? HealthCheckResult.Unhealthy($"the base model here is not that of {string.Join(", ", wrong)}")
            : _areReady ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("the queues of the clients are not open yet"));
    }
}
