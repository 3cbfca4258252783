using FedKSeed.Federation;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Versions;

/// <summary>What a sound log amounts to.</summary>
/// <param name="Digest">SHA-256 of the accumulators after the last entry.</param>
/// <param name="Closed">Why the federation ended; null for one that has not.</param>
public sealed record LogSummary(
    string Federation, string BaseModelDigest, long Entries, int Rounds, int Versions, long Reports, int Clients, int Evaluations,
    string Digest, string? Closed)
{
    /// <exception cref="InvalidEntryException">The first entry that is wrong.</exception>
    /// <exception cref="VersionException">The log is empty.</exception>
    public static LogSummary Of(IEnumerable<LogEntry> entries)
    {
        var state = new FederationState();
        var (reports, clients) = (0L, new HashSet<string>());
        foreach (var entry in entries)
        {
            state = FederationFold.Apply(state, entry);
            if (entry.Event is ScalarsReportedEntry report)
                reports++;
            if (entry.Event is RoundStartedEntry started)
                clients.UnionWith(started.Participants);
        }
        if (state.Settings is not { } settings)
            throw new VersionException("The log holds no entry.");
        return new LogSummary(
            settings.Name, settings.BaseModelDigest, state.Head.Length, state.LastRound, state.Version, reports, clients.Count,
            state.Evaluations.Count, Accumulators.Digest(state.Accumulators.Span), state.Closed?.Reason.ToString());
    }
}
