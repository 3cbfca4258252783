using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>All that this process has of one federation. Nothing of it is another one's, but for the weights of the base model.</summary>
public sealed class Membership : IDisposable
{
    public required string Federation { get; init; }

    public required FederationModel Model { get; init; }

    public required FederationBase Base { get; init; }

    public required LocalClients Clients { get; init; }

    /// <summary>Named versions as integers, from which deltas lead on.</summary>
    public HeldVersions Held { get; } = new();

    /// <summary>The weights of the version that clients tune.</summary>
    public required RebuiltVersions Rebuilt { get; init; }

    public FinishedReports Finished { get; } = new();

    /// <summary>What makes this process an evaluator of the federation; null where it is none.</summary>
    public VersionScoring? Scoring { get; init; }

    /// <exception cref="FormatException">This process does not work for that client in this federation.</exception>
    public LocalClient Client(string name) => Clients.Find(name)
        ?? throw new FormatException($"this worker works for no client '{name}' in federation '{Federation}'");

    public void Dispose() => Rebuilt.Dispose();
}

/// <summary>The federations that this process is a member of, made at its start. Safe to use from any thread.</summary>
public sealed class Memberships : IDisposable
{
    private readonly Dictionary<string, Membership> _byFederation = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _scoringTurn = new(1);

    /// <exception cref="InvalidDataException">
    /// Models or data files are missing or broken: every one of them, of every membership, with file and line.
    /// </exception>
    public Memberships(
        IOptions<List<MembershipOptions>> options, IOptions<WorkerOptions> worker, BaseModels models, WorkerMetrics metrics,
        TimeProvider time, ILogger<Membership> log)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(worker);
        ArgumentNullException.ThrowIfNull(models);
        var threads = Math.Max(worker.Value.Parallelism, worker.Value.TorchThreads);
        LoadingFaults faults = new();
        foreach (var membership in options.Value)
            if (Load(membership, models, threads, metrics, time, faults, log) is { } loaded)
                _byFederation[loaded.Federation] = loaded;
        faults.Throw();
    }

    public IReadOnlyCollection<Membership> All => _byFederation.Values;

    /// <summary>All whose base model is the federation's, as far as this process was told.</summary>
    public IEnumerable<Membership> Working => All.Where(membership => !membership.Base.IsWrong);

    /// <exception cref="FormatException">This process is no member of that federation.</exception>
    public Membership Of(string federation)
    {
        ArgumentNullException.ThrowIfNull(federation);
        return _byFederation.GetValueOrDefault(federation)
            ?? throw new FormatException($"this worker is no member of federation '{federation[..Math.Min(federation.Length, 80)]}'");
    }

    public void Dispose()
    {
        foreach (var membership in All)
            membership.Dispose();
        _scoringTurn.Dispose();
    }

    /// <returns>Null where anything is wrong, which is among the faults then.</returns>
    private Membership? Load(
        MembershipOptions options, BaseModels models, int threads, WorkerMetrics metrics, TimeProvider time, LoadingFaults faults,
        ILogger log)
    {
        var before = faults.Count;
        var model = faults.Try(() => new FederationModel(models.Of(options.ModelFolder), options, threads));
        if (faults.Try(options.Reading) is not { } reading)
            return null;
        var clients = LocalClients.Load(options, reading, model?.Encoder, faults, log);
        var rebuilt = model is null ? null : new RebuiltVersions(model, metrics, time);
        var scoring = options.EvaluatorName is null ? null
            : faults.Try(() => VersionScoring.Load(options, reading, model, rebuilt, _scoringTurn));
        return faults.Count > before || model is null ? null : new Membership
        {
            Federation = options.Federation,
            Model = model,
            Base = new FederationBase(options, model.Base, log),
            Clients = clients,
            Rebuilt = rebuilt!,
            Scoring = scoring,
        };
    }
}
