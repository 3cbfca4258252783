using System.Text.Json;
using FedKSeed.Federation.Log;

namespace FedKSeed.RoundService.Api;

// What the HTTP API says and takes, as JSON with camel-case names. All addresses begin with /api. Times are UTC, losses nats a token.

/// <summary>How far a federation is.</summary>
public enum FederationPhase
{
    Open,
    Paused,
    Closed,
}

/// <summary>A line of GET /federations.</summary>
/// <param name="Rounds">The rounds that it ends after.</param>
/// <param name="OpenRound">The round that is open; null between two.</param>
/// <param name="Clients">Clients that are alive.</param>
/// <param name="Loss">The last held-out loss; null where there is none.</param>
/// <param name="Closed">Why it ended; null while it has not.</param>
/// <param name="Fault">What is wrong with its log: then nothing else is known of it.</param>
public sealed record FederationSummary(
    string Name, FederationPhase Phase, int Version, int Rounds, int? OpenRound, int Clients, DateTimeOffset OpenedAt, double? Loss,
    string? Closed, string? Fault = null);

/// <summary>GET /federations/{name}.</summary>
/// <param name="Settings">As its log has them.</param>
/// <param name="LogEntries">Entries of the log.</param>
/// <param name="LogHash">Of its last entry.</param>
/// <param name="Round">The open round; null between two.</param>
/// <param name="Paused">Who paused it and why; null where it goes on.</param>
/// <param name="KeptVersion">The version that is kept, or would be if it ended now.</param>
/// <param name="Evaluations">By version, ascending.</param>
public sealed record FederationDetail(
    FederationSummary Summary, JsonElement Settings, long LogEntries, string LogHash, RoundStatus? Round, SteeringStatus? Paused,
    int KeptVersion, IReadOnlyList<ModelEvaluatedEntry> Evaluations);

/// <param name="Reported">Participants whose reports are in hand.</param>
/// <param name="Quorum">Reports that close it at once.</param>
public sealed record RoundStatus(
    int Number, DateTimeOffset StartedAt, DateTimeOffset Deadline, IReadOnlyList<string> Participants, IReadOnlyList<string> Reported,
    int Quorum);

/// <param name="Until">When it is over by itself; null for when somebody ends it.</param>
public sealed record SteeringStatus(string Actor, string Reason, DateTimeOffset? Until = null);

/// <summary>A line of GET /federations/{name}/clients: who was ever assigned, or is alive, or barred.</summary>
/// <param name="LastSeen">When it was last heard of; null for not lately.</param>
/// <param name="Reports">Reports of it that commits took in.</param>
/// <param name="Barred">Null where it may take part.</param>
public sealed record ClientStatus(string Name, bool IsAlive, DateTimeOffset? LastSeen, int Reports, SteeringStatus? Barred);

/// <summary>A line of GET /federations/{name}/versions.</summary>
/// <param name="At">When its commit was written; version 0 is the base model, at the opening.</param>
/// <param name="Digest">SHA-256 of its accumulators; null for version 0.</param>
public sealed record VersionStatus(int Version, DateTimeOffset At, int Reports, string? Digest, ModelEvaluatedEntry? Evaluation);

/// <summary>
/// GET /federations/{name}/log?from=&amp;limit=&amp;kind=&amp;client=&amp;round=&amp;last=. A page ends early where its lines are large, or
/// where few of many are asked for: go on from <paramref name="Next"/> until that is the length.
/// </summary>
/// <param name="Lines">Entries as they stand in the log, each with its hash.</param>
/// <param name="Next">Where the next page begins; the log's length where there is none yet.</param>
/// <param name="Length">Entries of the whole log.</param>
/// <param name="From">The first entry that was looked at.</param>
public sealed record LogPage(IReadOnlyList<string> Lines, long Next, long Length, long From = 0);

/// <summary>GET /federations/{name}/model: the present version, all of it.</summary>
/// <param name="Accumulators">K little-endian int64 in units of 2⁻⁴⁰, base64.</param>
/// <param name="Digest">SHA-256 of them, as the log's commit has it.</param>
/// <param name="Directions">Pool key, K, scheme and groups, as the settings have them.</param>
public sealed record ModelAccumulators(int Version, string BaseModelDigest, JsonElement Directions, byte[] Accumulators, string Digest);

/// <summary>
/// POST /federations: all of the settings, as federation.json has them below "federation"; what is left out has its default, and
/// "keep" is Best.
/// </summary>
public sealed record OpenRequest(JsonElement Settings);

/// <summary>Of POST /federations/{name}/pause, /close, and /clients/{client}/exclude and /readmit.</summary>
/// <param name="Until">Of /exclude only.</param>
public sealed record SteeringRequest(string? Reason = null, DateTimeOffset? Until = null);
