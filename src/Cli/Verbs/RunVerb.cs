using System.CommandLine;
using FedKSeed.Cli.Run;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed run: a whole federation in one process.</summary>
internal sealed class RunVerb() : FederationVerb(
    "run", "Run a whole federation in this process: eight clients on the sample, unless told otherwise.")
{
    private readonly Option<int?> _redisPort = CommonOptions.Number(
        "--redis-port", "Port of the embedded store. [default: a free one]", 1, 65_535);

    public override int Place => 10;

    protected override IReadOnlyList<Option> OwnOptions => [_redisPort];

    protected override string? FaultOfResuming(RunFolder folder) =>
        Directory.Exists(folder.Cluster) ? $"'{folder.Path}' is of fedkseed cluster, which continues it." : null;

    protected override IFederationPlace PlaceOf(ParseResult parsed, bool isVerbose) =>
        new OneProcess(parsed.GetValue(_redisPort), isVerbose);
}
