using System.CommandLine;
using FedKSeed.Cli.Run;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed run: a whole federation in one process.</summary>
internal sealed class RunVerb() : FederationVerb(
    "run", "Run a whole federation in this process: eight clients on the sample, unless told otherwise.")
{
    private readonly Option<int?> _redisPort = new("--redis-port")
    {
        HelpName = "N",
        Description = "Port of the embedded store. [default: a free one]"
    };

    public override int Place => 10;

    protected override IReadOnlyList<Option> OwnOptions => [_redisPort];

    protected override IEnumerable<string> OwnFaults(ParseResult parsed) =>
        WholeNumber(parsed, _redisPort) is < 1 or > 65_535 ? ["--redis-port must be between 1 and 65535."] : [];

    protected override string? FaultOfResuming(RunFolder folder) =>
        Directory.Exists(folder.Cluster) ? $"'{folder.Path}' is of fedkseed cluster, which continues it." : null;

    protected override IFederationPlace PlaceOf(ParseResult parsed, bool isVerbose) =>
        new OneProcess(WholeNumber(parsed, _redisPort), isVerbose);
}
