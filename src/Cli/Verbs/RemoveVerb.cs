using System.CommandLine;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Remote;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed remove: deletes all that the store has of a closed federation, its log included.</summary>
internal sealed class RemoveVerb() : SteeringVerb(
    "remove", "Delete a closed federation with its log: what was not pulled before is gone.", "removed.")
{
    private readonly Option<bool> _yes = new("--yes") { Description = "Do not ask whether it is meant." };

    public override int Place => 29;

    protected override bool HasReason => false;

    protected override IEnumerable<Option> OwnOptions => [_yes];

    protected override IEnumerable<string?> OwnFaults(ParseResult parsed) =>
        [parsed.GetValue(_yes) || Screen.IsTerminal(parsed.InvocationConfiguration)
            ? null
            : "--yes is needed where nobody can be asked: a removed federation does not come back."];

    protected override bool IsMeant(ParseResult parsed, VerbContext context, string federation) =>
        parsed.GetValue(_yes) || Questions.Confirm($"Delete federation {federation} and its log for good?");

    protected override Task<bool> SteerAsync(
        FederationServer server, string federation, string? reason, ParseResult parsed, CancellationToken cancel) =>
        server.RemoveAsync(federation, cancel);
}
