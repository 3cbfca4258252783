using System.CommandLine;
using FedKSeed.Cli.Remote;
using FedKSeed.RoundService.Api;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed readmit: an excluded client takes part again.</summary>
internal sealed class ReadmitVerb() : SteeringVerb(
    "readmit", "Let an excluded client take part again.", "readmitted; it takes part from the next round on.")
{
    private readonly Argument<string> _client = new("CLIENT") { Description = "Name of the client." };

    public override int Place => 31;

    protected override IEnumerable<Argument> OwnArguments => [_client];

    protected override IEnumerable<string?> OwnFaults(ParseResult parsed) =>
        [ServerOptions.FaultOfName("CLIENT", parsed.GetRequiredValue(_client))];

    protected override Task<bool> SteerAsync(
        FederationServer server, string federation, string? reason, ParseResult parsed, CancellationToken cancel) =>
        server.SteerAsync(federation, parsed.GetRequiredValue(_client), "readmit", new SteeringRequest(reason), cancel);
}
