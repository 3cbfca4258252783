using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.RoundService;

/// <summary>What GET /federation answers.</summary>
public sealed record FederationStatus(
    string Name, int Version, int Rounds, int? OpenRound, IReadOnlyList<string> Alive, long LogEntries,
    IReadOnlyList<ModelEvaluatedEntry> Evaluations, string? Closed)
{
    public static FederationStatus Of(FederationState state, IReadOnlyList<string> alive) => new(
        state.Settings?.Name ?? "", state.Version, state.Settings?.Rounds ?? 0, state.Round?.Number, alive, state.Head.Length,
        [.. state.Evaluations.Values], state.Closed?.Reason.ToString());
}
