using System.CommandLine;
using FedKSeed.Cli.Remote;
using FedKSeed.RoundService.Api;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed close: ends a federation before its time.</summary>
internal sealed class CloseVerb() : SteeringVerb(
    "close", "End a federation for good, with the version that its settings keep.",
    "closed; its log stays until fedkseed remove, and fedkseed pull gets its model.")
{
    public override int Place => 28;

    protected override Task<bool> SteerAsync(
        FederationServer server, string federation, string? reason, ParseResult parsed, CancellationToken cancel) =>
        server.SteerAsync(federation, null, "close", new SteeringRequest(reason), cancel);
}
