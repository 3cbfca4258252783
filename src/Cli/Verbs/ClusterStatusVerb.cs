using System.CommandLine;
using System.Text.Json;
using FedKSeed.Cli.Cluster;
using FedKSeed.Cli.Remote;
using FedKSeed.Cli.Run;
using FedKSeed.Federation.Log;
using FedKSeed.LocalServers;

namespace FedKSeed.Cli.Verbs;

/// <summary>The federation of a cluster, as its RoundService tells it.</summary>
/// <param name="Alive">Clients that are alive.</param>
internal sealed record FederationStatus(
    string Name, int Version, int Rounds, int? OpenRound, IReadOnlyList<string> Alive, long LogEntries,
    IReadOnlyList<ModelEvaluatedEntry> Evaluations, string? Closed);

/// <summary>How a running cluster is.</summary>
/// <param name="Federation">As RoundService tells it; null when it does not answer.</param>
/// <param name="Services">Each process, and whether it says that it is ready.</param>
internal sealed record ClusterStatus(
    FederationStatus? Federation, IReadOnlyList<ServiceStatus> Services, IReadOnlyList<QueueStatus> Queues,
    IReadOnlyList<QueueStatus> ErrorQueues);

/// <param name="State">Healthy, Degraded or Unhealthy as the process says, or "no answer".</param>
internal sealed record ServiceStatus(string Name, int Id, string State);

/// <summary>fedkseed cluster status: the federation, the processes and the queues of a running cluster.</summary>
internal static class ClusterStatusVerb
{
    /// <summary>Of queues that keep what could not be worked off.</summary>
    private const string ErrorSuffix = "_error";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        var folder = new Option<DirectoryInfo>("--dir")
        {
            HelpName = "DIR",
            Description = "Folder of the running cluster.",
            Required = true
        };
        var json = CommonOptions.Json();
        var verb = new Command(
            "status",
            "Show the federation, the processes, the queues and what lies in error queues of a running cluster.") { folder, json };
        verb.SetAction(async (parsed, cancel) =>
        {
            var status = await OfAsync(ClusterFile.Read(new RunFolder(parsed.GetRequiredValue(folder).FullName).Cluster), cancel);
            parsed.InvocationConfiguration.Output.WriteLine(
                parsed.GetValue(json) ? JsonSerializer.Serialize(status, CommonOptions.JsonFormat) : Describe(status));
            return status.Federation is null || status.Services.Any(service => service.State != "Healthy")
                ? ExitCode.Failed
                : ExitCode.Done;
        });
        return verb;
    }

    private static async Task<ClusterStatus> OfAsync(ClusterFile cluster, CancellationToken cancel)
    {
        using var http = new HttpClient { Timeout = Patience };
        var services = Task.WhenAll(cluster.Services.Select(async service =>
            new ServiceStatus(service.Name, service.Id, await TextAsync(http, new Uri(service.Health, "health/ready"), cancel))));
        var queues = await RabbitMqServer.QueuesAsync(cluster.Broker, cancel);
        return new ClusterStatus(
            await FederationAsync(cluster, cancel), await services,
            [.. queues.Where(queue => !IsForErrors(queue)).OrderBy(queue => queue.Name, StringComparer.Ordinal)],
            [.. queues.Where(queue => IsForErrors(queue) && queue.Messages > 0).OrderBy(queue => queue.Name, StringComparer.Ordinal)]);
    }

    private static bool IsForErrors(QueueStatus queue) => queue.Name.EndsWith(ErrorSuffix, StringComparison.Ordinal);

    private static async Task<FederationStatus?> FederationAsync(ClusterFile cluster, CancellationToken cancel)
    {
        using var server = new FederationServer(cluster.RoundService, cluster.Token);
        try
        {
            var detail = await server.ShowAsync(cluster.Federation, cancel);
            var clients = await server.ClientsAsync(cluster.Federation, cancel);
            var federation = detail.Summary;
            return new FederationStatus(
                federation.Name, federation.Version, federation.Rounds, federation.OpenRound,
                [.. clients.Where(client => client.IsAlive).Select(client => client.Name)], detail.LogEntries, detail.Evaluations,
                federation.Closed);
        }
        catch (ServerException)
        {
            return null;
        }
    }

    /// <summary>An unready service answers 503, and says in its body what it is.</summary>
    private static async Task<string> TextAsync(HttpClient http, Uri address, CancellationToken cancel)
    {
        try
        {
            using var answer = await http.GetAsync(address, cancel);
            return await answer.Content.ReadAsStringAsync(cancel);
        }
        catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException && !cancel.IsCancellationRequested)
        {
            return "no answer";
        }
    }

    private static string Describe(ClusterStatus status)
    {
        var federation = status.Federation is { } known
            ? $"Federation {known.Name}: version {known.Version} of {known.Rounds}, "
                + (known.Closed is { } closed
                    ? $"closed: {closed}"
                    : known.OpenRound is { } round ? $"round {round} is open" : "no round is open")
                + $", {known.Alive.Count} clients alive, {known.LogEntries} log entries."
            : "RoundService does not answer.";
        var width = status.Queues.Concat(status.ErrorQueues).Select(queue => queue.Name.Length).Append(5).Max();
        IEnumerable<string> lines =
        [
            federation, "",
            "Services",
            .. status.Services.Select(service => $"  {service.Name.PadRight(width)} {service.State}, process {service.Id}"), "",
            "Queue".PadRight(width + 2) + " messages consumers",
            .. status.Queues.Select(queue => $"  {queue.Name.PadRight(width)} {queue.Messages,7} {queue.Consumers,9}"), "",
            status.ErrorQueues.Count == 0 ? "No message lies in an error queue." : "Error queues",
            .. status.ErrorQueues.Select(queue => $"  {queue.Name.PadRight(width)} {queue.Messages,7}"),
        ];
        return string.Join(Environment.NewLine, lines);
    }
}
