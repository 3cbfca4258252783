using System.CommandLine;
using FedKSeed.Cli.Cluster;
using FedKSeed.Cli.Run;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed cluster: the same federation as fedkseed run, as independent services on RabbitMQ and Redis.</summary>
internal sealed class ClusterVerb() : FederationVerb(
    "cluster", "Run a whole federation as processes of their own, on a RabbitMQ and a Redis that are started for it.")
{
    private const int DefaultWorkers = 2;

    private readonly Option<int?> _workers = CommonOptions.Number(
        "--workers", $"Worker processes; the clients are divided among them. [default: {DefaultWorkers}]", 1, 256);

    public override int Place => 20;

    public override Command Create(VerbContext context)
    {
        var verb = base.Create(context);
        verb.Subcommands.Add(ClusterStatusVerb.Create());
        return verb;
    }

    protected override IReadOnlyList<Option> OwnOptions => [_workers];

    protected override string? FaultOfResuming(RunFolder folder) =>
        Directory.Exists(folder.Cluster) ? null : $"'{folder.Path}' is of fedkseed run, which continues it.";

    protected override IFederationPlace PlaceOf(ParseResult parsed, bool isVerbose) =>
        new ServiceCluster(parsed.GetValue(_workers) ?? DefaultWorkers, isVerbose);
}
