using System.Globalization;
using FedKSeed.Checkpoints;
using FedKSeed.Federation;
using FedKSeed.Federation.Rounds;
using FedKSeed.Federation.Sampling;
using FedKSeed.LocalServers;

namespace FedKSeed.Reliability;

/// <summary>Workers that share the same clients.</summary>
/// <param name="Clients">
/// Names of data files of the samples: client-1 to client-8. client-1-b is another client with the data of client-1.
/// </param>
/// <param name="Workers">How many processes.</param>
public sealed record WorkerGroup(IReadOnlyList<string> Clients, int Workers);

/// <summary>What is started, and how it is set up.</summary>
public sealed record FleetPlan
{
    /// <summary>Folder with the sample federation: model, data and prompt.json.</summary>
    public required string Samples { get; init; }

    /// <summary>Takes the logs of the processes.</summary>
    public required string Folder { get; init; }

    /// <summary>The base model's digest is filled in.</summary>
    public FederationSettings Federation { get; init; } = TinyFederation;

    public int SeedServices { get; init; } = 2;

    public int RoundServices { get; init; } = 2;

    public IReadOnlyList<WorkerGroup> WorkerGroups { get; init; } = ThreeGroups;

    /// <summary>More settings for every service, or other values for those given here; keys with colons.</summary>
    public IReadOnlyDictionary<string, string?> Settings { get; init; } = new Dictionary<string, string?>();

    /// <summary>Rounds of a fraction of a second; a round whose clients are dead or silent ends after two seconds.</summary>
    public static FederationSettings TinyFederation { get; } = new()
    {
        Directions = new() { SeedCount = 256 },
        StepsPerRound = 3,
        BatchSize = 2,
        LearningRate = 1e-5,
        Schedule = LearningRateSchedule.Constant,
        Sampling = SamplingRule.Importance,
        Rounds = 1_000_000,
        Quorum = 0.7,
        MinimumClients = 3,
        RoundDeadline = TimeSpan.FromSeconds(2),
        EvaluateEvery = 0,
    };

    /// <summary>Ten clients, each with two workers; silencing one of the first two groups silences 30 % of the clients.</summary>
    public static IReadOnlyList<WorkerGroup> ThreeGroups { get; } =
    [
        new(["client-1", "client-2", "client-3"], 2),
        new(["client-4", "client-5", "client-6"], 2),
        new(["client-7", "client-8", "client-1-b", "client-2-b"], 2),
    ];
}

/// <summary>The services of a federation as processes, each started again when it ends.</summary>
public sealed class ServiceFleet : IAsyncDisposable
{
    private readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(2) };
    private readonly List<Replica> _replicas = [];
    private readonly List<(Replica Worker, WorkerGroup Group)> _workers = [];
    private readonly FleetPlan _plan;
    private readonly ServerAddresses _servers;
    private readonly string _digest;

    private ServiceFleet(FleetPlan plan, ServerAddresses servers)
    {
        (_plan, _servers) = (plan, servers);
        using var checkpoint = Checkpoint.Open(Path.Combine(_plan.Samples, "model"));
        _digest = checkpoint.Digest();
    }

    /// <summary>Every service, dead, alive or retired.</summary>
    public IReadOnlyList<Replica> Replicas => _replicas;

    public IReadOnlyList<Replica> SeedServices => Of(ServiceKind.SeedService);

    public IReadOnlyList<Replica> RoundServices => Of(ServiceKind.RoundService);

    public IReadOnlyList<Replica> Workers => Of(ServiceKind.Worker);

    /// <param name="servers">As the services see them: the servers' own addresses, or those of proxies.</param>
    /// <exception cref="TimeoutException">A service was not ready in time.</exception>
    public static async Task<ServiceFleet> StartAsync(FleetPlan plan, ServerAddresses servers, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(plan);
        var fleet = new ServiceFleet(plan, servers);
        try
        {
            await Opening.OpenAsync(
                servers.Redis, plan.Federation with { BaseModelDigest = fleet._digest }, TimeProvider.System, cancel);
            for (var number = 1; number <= plan.SeedServices; number++)
                fleet.Add($"seed-service-{number}", ServiceKind.SeedService, []);
            for (var number = 1; number <= plan.RoundServices; number++)
                fleet.Add($"round-service-{number}", ServiceKind.RoundService, []);
            foreach (var group in plan.WorkerGroups)
                for (var worker = 0; worker < group.Workers; worker++)
                    fleet.AddWorker(group);
            await Task.WhenAll(fleet._replicas.Select(replica => replica.UntilReadyAsync(TimeSpan.FromMinutes(2), cancel)));
            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    /// <summary>The workers whose death or silence makes a group's clients silent.</summary>
    public IReadOnlyList<Replica> WorkersOf(WorkerGroup group) =>
        [.. _workers.Where(item => item.Group == group).Select(item => item.Worker)];

    /// <summary>Starts one more worker for a group's clients.</summary>
    public Replica AddWorker(WorkerGroup group)
    {
        ArgumentNullException.ThrowIfNull(group);
        var name = $"worker-{_workers.Count + 1}";
        var worker = Add(name, ServiceKind.Worker, Worker(name, group));
        _workers.Add((worker, group));
        return worker;
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_replicas.Select(replica => replica.DisposeAsync().AsTask()));
        _http.Dispose();
    }

    private List<Replica> Of(ServiceKind kind) => [.. _replicas.Where(replica => replica.Kind == kind)];

    private Replica Add(string name, ServiceKind kind, Dictionary<string, string?> own)
    {
        var program = kind switch
        {
            ServiceKind.SeedService => "FedKSeed.SeedService",
            ServiceKind.RoundService => "FedKSeed.RoundService",
            _ => "FedKSeed.ClientWorker",
        };
        var configuration = Shared(kind);
        foreach (var (setting, value) in own.Concat(_plan.Settings))
            configuration[setting] = value;
        var replica = new Replica(
            name, kind,
            address => ServiceProcess.Start(name, FederationServers.LogsIn(_plan.Folder), program, configuration, address),
            _http);
        _replicas.Add(replica);
        return replica;
    }

    private Dictionary<string, string?> Shared(ServiceKind kind)
    {
        var shared = new Dictionary<string, string?>
        {
            ["Bus:Transport"] = "RabbitMq",
            ["Bus:Broker"] = _servers.Broker.ToString(),
            // Everything that waits for a lease, a repeat or a heartbeat does so for less time than a round's deadline.
            ["RoundService:ClientTimeout"] = "00:00:05",
            ["RoundService:ClockLease"] = "00:00:01",
            ["RoundService:RepeatAfter"] = "00:00:01",
            ["RoundService:Tick"] = "00:00:00.100",
            ["Worker:Heartbeat"] = "00:00:01",
        };
        if (kind != ServiceKind.Worker)
            shared["Redis:Connection"] = _servers.Redis;
        return shared;
    }

    private Dictionary<string, string?> Worker(string name, WorkerGroup group)
    {
        var worker = new Dictionary<string, string?>
        {
            ["Worker:Name"] = name,
            ["Memberships:0:Federation"] = _plan.Federation.Name,
            ["Memberships:0:BaseModelDigest"] = _digest,
            ["Memberships:0:ModelFolder"] = Path.GetFullPath(Path.Combine(_plan.Samples, "model")),
            ["Memberships:0:PromptFile"] = Path.GetFullPath(Path.Combine(_plan.Samples, "prompt.json")),
            ["Worker:Parallelism"] = Text(group.Clients.Count),
        };
        for (var at = 0; at < group.Clients.Count; at++)
        {
            worker[$"Memberships:0:Clients:{at}:Name"] = group.Clients[at];
            var data = string.Join('-', group.Clients[at].Split('-').Take(2)) + ".jsonl";
            worker[$"Memberships:0:Clients:{at}:Data"] = Path.GetFullPath(Path.Combine(_plan.Samples, "data", data));
        }
        return worker;
    }

    private static string? Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture);
}
