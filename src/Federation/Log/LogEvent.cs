using System.Text.Json.Serialization;
using FedKSeed.Contracts;

namespace FedKSeed.Federation.Log;

/// <summary>What an entry of the log says happened. Everything that a federation is follows from these, in order.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(FederationOpenedEntry), "FederationOpened")]
[JsonDerivedType(typeof(RoundStartedEntry), "RoundStarted")]
[JsonDerivedType(typeof(SeedsAssignedEntry), "SeedsAssigned")]
[JsonDerivedType(typeof(ScalarsReportedEntry), "ScalarsReported")]
[JsonDerivedType(typeof(RoundCommittedEntry), "RoundCommitted")]
[JsonDerivedType(typeof(ModelEvaluatedEntry), "ModelEvaluated")]
[JsonDerivedType(typeof(FederationClosedEntry), "FederationClosed")]
[JsonDerivedType(typeof(FederationPausedEntry), "FederationPaused")]
[JsonDerivedType(typeof(FederationResumedEntry), "FederationResumed")]
[JsonDerivedType(typeof(ClientBarredEntry), "ClientBarred")]
[JsonDerivedType(typeof(ClientReadmittedEntry), "ClientReadmitted")]
public abstract record LogEvent;

/// <param name="Protocol">The log's format: <see cref="LogProtocol"/>.</param>
/// <param name="Actor">Who opened it; null where nobody said, and in logs of formats 1 to 3.</param>
public sealed record FederationOpenedEntry(
    int Protocol,
    FederationSettings Settings,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Actor = null) : LogEvent;

/// <param name="Round">Counts from 1.</param>
/// <param name="Participants">Clients that get an assignment, in ordinal order.</param>
public sealed record RoundStartedEntry(int Round, IReadOnlyList<string> Participants) : LogEvent;

/// <param name="LearningRate">η of every step of this assignment: the round's, times the client's factor.</param>
/// <param name="Turn">How many assignments of this round the client got before it: above 0 in a continuous federation only.</param>
/// <param name="Seeds">
/// In logs of formats 1 and 2, seed index of each step, in the order of the steps; null since, as the version's distribution says them. In
/// JSON: base64 of little-endian 16-bit integers.
/// </param>
public sealed record SeedsAssignedEntry(
    int Round,
    string Client,
    int BaseVersion,
    double LearningRate,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Turn = 0,
    [property: JsonConverter(typeof(Base64Memory<ushort>)), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    ReadOnlyMemory<ushort>? Seeds = null) : LogEvent
{
    [JsonIgnore]
    public AssignmentKey Key => new(Round, Client, Turn);
}

/// <summary>An accepted report.</summary>
/// <param name="Scalars">
/// Projected gradient of each step that gave one, in the order of the steps. In JSON: base64 of little-endian float32.
/// </param>
/// <param name="Skipped">Positions, ascending, of the steps that gave none; null for none, and in logs of formats 1 and 2.</param>
/// <param name="Seeds">In logs of formats 1 and 2, seed index of each step that gave a scalar; null since.</param>
/// <param name="MeanLoss">
/// Mean loss of the steps that gave a scalar, nats a token; null for none, and where the rates of clients do not go by it.
/// </param>
public sealed record ScalarsReportedEntry(
    int Round,
    string Client,
    int BaseVersion,
    int Examples,
    [property: JsonConverter(typeof(Base64Memory<float>))] ReadOnlyMemory<float> Scalars,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<int>? Skipped = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Turn = 0,
    [property: JsonConverter(typeof(Base64Memory<ushort>)), JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    ReadOnlyMemory<ushort>? Seeds = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] float? MeanLoss = null) : LogEvent
{
    [JsonIgnore]
    public AssignmentKey Key => new(Round, Client, Turn);
}

/// <param name="Closed">Why the round closed.</param>
/// <param name="Version">The version that this commit makes: the number of commits so far, this one included.</param>
/// <param name="Reports">The reports that it takes in, each with its weight.</param>
/// <param name="Digest">SHA-256 of the accumulators after it.</param>
public sealed record RoundCommittedEntry(
    int Round, RoundEnd Closed, int Version, IReadOnlyList<CommittedReport> Reports, string Digest) : LogEvent;

/// <param name="Round">The round that the report's assignment belongs to; earlier than the commit's for a straggler.</param>
public readonly record struct CommittedReport(
    int Round, string Client, long Weight, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)] int Turn = 0)
{
    [JsonIgnore]
    public AssignmentKey Key => new(Round, Client, Turn);
}

/// <param name="Loss">Mean held-out loss in nats a token; null when it was not finite.</param>
/// <param name="ExactMatch">Share of answers equal to the reference, 0 to 1.</param>
/// <param name="RougeL">Mean ROUGE-L F1, 0 to 1.</param>
public sealed record ModelEvaluatedEntry(int Version, int Examples, double? Loss, double ExactMatch, double RougeL) : LogEvent;

/// <param name="Version">The version to keep: the last one, or the best one when the federation diverged.</param>
/// <param name="Actor">
/// Who stopped it, where the reason is <see cref="FederationEnd.Stopped"/>; null where it ended as its settings say.
/// </param>
/// <param name="Why">In that person's words; null for none.</param>
public sealed record FederationClosedEntry(
    FederationEnd Reason,
    int Version,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Actor = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Why = null) : LogEvent;

/// <summary>Somebody wants no new round until the federation is resumed; the open one closes as it would have.</summary>
/// <param name="Reason">In that person's words; may be empty.</param>
public sealed record FederationPausedEntry(string Actor, string Reason) : LogEvent;

/// <summary>Somebody lets a paused federation go on.</summary>
public sealed record FederationResumedEntry(string Actor) : LogEvent;

/// <summary>
/// Somebody wants nothing more of a client to count: it gets no assignments, its reports are refused, and those that no commit has taken
/// in yet count in none. Another one for the same client takes the place of the one before.
/// </summary>
/// <param name="Reason">In that person's words; may be empty.</param>
/// <param name="Until">When it is over by itself, in UTC; null for when the client is readmitted.</param>
public sealed record ClientBarredEntry(
    string Client,
    string Reason,
    string Actor,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] DateTimeOffset? Until = null) : LogEvent;

/// <summary>Somebody lets a barred client take part again.</summary>
/// <param name="Reason">In that person's words; may be empty.</param>
public sealed record ClientReadmittedEntry(string Client, string Reason, string Actor) : LogEvent;

public enum RoundEnd
{
    Quorum,
    Deadline,
}

public enum FederationEnd
{
    /// <summary>All rounds are done.</summary>
    Completed,

    /// <summary>The held-out loss left every bound, or no client had a finite loss.</summary>
    Diverged,

    TargetReached,

    TimeIsUp,

    /// <summary>Somebody ended it; the entry says who.</summary>
    Stopped,
}
