using System.CommandLine;
using FedKSeed.Cli.Remote;
using FedKSeed.RoundService.Api;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed resume: rounds go on.</summary>
internal sealed class ResumeVerb() : SteeringVerb("resume", "Let a paused federation go on.", "goes on.")
{
    public override int Place => 27;

    protected override bool HasReason => false;

    protected override Task<bool> SteerAsync(
        FederationServer server, string federation, string? reason, ParseResult parsed, CancellationToken cancel) =>
        server.SteerAsync(federation, null, "resume", new SteeringRequest(), cancel);
}
