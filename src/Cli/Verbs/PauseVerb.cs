using System.CommandLine;
using FedKSeed.Cli.Remote;
using FedKSeed.RoundService.Api;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed pause: no new round until it is resumed.</summary>
internal sealed class PauseVerb() : SteeringVerb(
    "pause", "Pause a federation: the open round closes as it would have, and no other one starts.",
    "paused; fedkseed resume lets it go on.")
{
    public override int Place => 26;

    protected override Task<bool> SteerAsync(
        FederationServer server, string federation, string? reason, ParseResult parsed, CancellationToken cancel) =>
        server.SteerAsync(federation, null, "pause", new SteeringRequest(reason), cancel);
}
