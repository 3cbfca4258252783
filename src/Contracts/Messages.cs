using System.Text.Json.Serialization;

namespace FedKSeed.Contracts;

// Messages are facts, past tense, or commands, imperative. Each names its federation; what identifies an effect is a natural key
// (federation, round, client, turn), never a message id, so any of them may arrive twice. What a client may learn or say is in the second
// half of this file.

/// <summary>RoundService opened a round for these clients, or lets them join the open one of a continuous federation.</summary>
public sealed record RoundStarted
{
    public required string Federation { get; init; }

    /// <summary>Counts from 1.</summary>
    public required int Round { get; init; }

    public required IReadOnlyList<string> Participants { get; init; }
}

/// <summary>RoundService ended a round: its quorum or its deadline was reached.</summary>
public sealed record RoundClosed
{
    public required string Federation { get; init; }

    public required int Round { get; init; }

    /// <summary>Quorum or Deadline.</summary>
    public required string Reason { get; init; }
}

/// <summary>SeedService wrote the round's reports and their commit into the log.</summary>
public sealed record RoundCommitted
{
    public required string Federation { get; init; }

    public required int Round { get; init; }

    /// <summary>Number of commits, this one included.</summary>
    public required int Version { get; init; }

    /// <summary>Reports that it took in.</summary>
    public required int Reports { get; init; }
}

/// <summary>Somebody asks SeedService for a federation; one that is open with the same settings stays as it is.</summary>
public sealed record OpenFederation
{
    public required string Federation { get; init; }

    /// <summary>All of the federation's settings, as JSON.</summary>
    public required string Settings { get; init; }

    /// <summary>Who opens it.</summary>
    public required string Actor { get; init; }
}

/// <summary>SeedService wrote the first entry of a log.</summary>
public sealed record FederationOpened
{
    public required string Federation { get; init; }
}

/// <summary>An operator wants no new round of a federation until it is resumed; the open one closes as it would have.</summary>
public sealed record PauseFederation
{
    public required string Federation { get; init; }

    public required string Actor { get; init; }

    public required string Reason { get; init; }
}

/// <summary>An operator lets a paused federation go on.</summary>
public sealed record ResumeFederation
{
    public required string Federation { get; init; }

    public required string Actor { get; init; }
}

/// <summary>An operator wants nothing more of a client to count: it gets no assignments, and its reports are refused.</summary>
public sealed record BarClient
{
    public required string Federation { get; init; }

    public required string Client { get; init; }

    public required string Actor { get; init; }

    public required string Reason { get; init; }

    /// <summary>When it is over by itself; null for when the client is readmitted.</summary>
    public DateTimeOffset? Until { get; init; }
}

/// <summary>An operator lets a barred client take part again.</summary>
public sealed record ReadmitClient
{
    public required string Federation { get; init; }

    public required string Client { get; init; }

    public required string Actor { get; init; }

    public required string Reason { get; init; }
}

/// <summary>RoundService asks SeedService to end the federation.</summary>
public sealed record CloseFederation
{
    public required string Federation { get; init; }

    /// <summary>Completed, Diverged, TargetReached, TimeIsUp, or Stopped for an operator's wish.</summary>
    public required string Reason { get; init; }

    /// <summary>The version to keep; null, where an operator ends it, for the one that the settings say.</summary>
    public int? Version { get; init; }

    /// <summary>The operator who ends it; null where it ends as its settings say.</summary>
    public string? Actor { get; init; }

    /// <summary>Why, in the operator's words; null for none.</summary>
    public string? Why { get; init; }
}

/// <summary>An operator wants all of a closed federation deleted from the store, its log included.</summary>
public sealed record RemoveFederation
{
    public required string Federation { get; init; }

    public required string Actor { get; init; }
}

/// <summary>SeedService wrote the last entry of the log.</summary>
public sealed record FederationClosed
{
    public required string Federation { get; init; }

    public required string Reason { get; init; }

    public required int Version { get; init; }
}

/// <summary>SeedService asks an evaluator to score a version on held-out data; sent to that evaluator's queue alone.</summary>
public sealed record EvaluationRequested
{
    public required string Federation { get; init; }

    public required ModelVersion Model { get; init; }
}

/// <summary>An evaluator scored a version.</summary>
public sealed record ModelEvaluated
{
    public required string Federation { get; init; }

    public required int Version { get; init; }

    /// <summary>Held-out examples that it was scored on.</summary>
    public required int Examples { get; init; }

    /// <summary>Mean loss, nats a token; null when it was not finite.</summary>
    public required double? Loss { get; init; }

    /// <summary>Share of answers equal to the reference, 0 to 1.</summary>
    public required double ExactMatch { get; init; }

    /// <summary>Mean ROUGE-L F1, 0 to 1.</summary>
    public required double RougeL { get; init; }
}

// ---------------------------------------------------------------- to and from clients

/// <summary>A worker of this client is alive; sent at intervals.</summary>
public sealed record ClientAnnounced
{
    public required string Federation { get; init; }

    public required string Client { get; init; }

    /// <summary>One of possibly several processes that work for the client.</summary>
    public required string Worker { get; init; }

    /// <summary>Number of the client's training examples.</summary>
    public required int Examples { get; init; }

    /// <summary>What it computes on: cpu, cuda:0.</summary>
    public required string Device { get; init; }
}

/// <summary>A worker that can score versions of a federation is alive; sent at intervals.</summary>
public sealed record EvaluatorAnnounced
{
    public required string Federation { get; init; }

    /// <summary>Names its queue; several processes may work for one evaluator.</summary>
    public required string Evaluator { get; init; }

    /// <summary>One of possibly several processes that work for the evaluator.</summary>
    public required string Worker { get; init; }

    /// <summary>Number of held-out examples that it scores versions on.</summary>
    public required int Examples { get; init; }

    /// <summary>What it computes on: cpu, cuda:0.</summary>
    public required string Device { get; init; }
}

/// <summary>SeedService's assignment to one client, sent to that client's queue alone.</summary>
public sealed record SeedsAssigned
{
    public required string Federation { get; init; }

    public required AssignmentKey Assignment { get; init; }

    /// <summary>The version that it is based on.</summary>
    public required int Version { get; init; }

    /// <summary><see cref="ModelVersion.Digest"/> of that version, whichever of the two forms below it comes in.</summary>
    public required byte[] VersionDigest { get; init; }

    /// <summary>The version as a whole; null where <see cref="Delta"/> says it.</summary>
    public ModelVersion? Model { get; init; }

    /// <summary>
    /// The version since one that the client was sent before; null where <see cref="Model"/> says it. A worker that does not hold that one
    /// answers with <see cref="VersionRequested"/>.
    /// </summary>
    public ModelDelta? Delta { get; init; }

    /// <summary>τ, the number of steps.</summary>
    public required int Steps { get; init; }

    /// <summary>Seed index of each step, packed by <see cref="PackedIntegers.PackUnsigned"/> in ⌈log₂ K⌉ bits.</summary>
    public required byte[] Seeds { get; init; }

    public required int BatchSize { get; init; }

    /// <summary>η.</summary>
    public required double LearningRate { get; init; }

    /// <summary>ε.</summary>
    public required float Epsilon { get; init; }

    /// <summary>A scalar beyond this would be refused: a step that gives one is skipped, like one whose loss is not finite.</summary>
    public required double MaximumScalar { get; init; }

    /// <summary>The report is to say its mean loss: the learning rates of clients go by it. Left out where it is not.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool WithLoss { get; init; }
}

/// <summary>A worker cannot make its assignment's version out of what it holds, and asks for the assignment with the whole.</summary>
public sealed record VersionRequested
{
    public required string Federation { get; init; }

    public required AssignmentKey Assignment { get; init; }
}

/// <summary>A client's report on an assignment. Nothing else about its data ever leaves a worker.</summary>
public sealed record ScalarsReported
{
    public required string Federation { get; init; }

    public required AssignmentKey Assignment { get; init; }

    public required int BaseVersion { get; init; }

    /// <summary>Number of the client's training examples: its weight in the commit.</summary>
    public required int Examples { get; init; }

    /// <summary>Projected gradient of each step that gave one, in the order of the steps; little-endian float32.</summary>
    public required byte[] Scalars { get; init; }

    /// <summary>Positions, ascending, of the steps that gave none: their loss was not finite, or the scalar beyond the limit.</summary>
    public required IReadOnlyList<int> SkippedSteps { get; init; }

    /// <summary>
    /// Mean over the steps that gave a scalar of their losses, (L⁺ + L⁻)/2, nats a token; left out unless it was asked for, and where no
    /// step gave one.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public float? MeanLoss { get; init; }
}

/// <summary>The report is in the book, now or since an earlier delivery of it.</summary>
public sealed record ReportAccepted
{
    public required string Federation { get; init; }

    public required AssignmentKey Assignment { get; init; }

    /// <summary>Size of the serialised report, envelope included.</summary>
    public required long ReportBytes { get; init; }
}

/// <summary>The report changed nothing.</summary>
public sealed record ReportRejected
{
    public required string Federation { get; init; }

    public required AssignmentKey Assignment { get; init; }

    public required string Reason { get; init; }
}

/// <summary>How far a worker is in an assignment, for people to watch; nothing depends on it.</summary>
public sealed record LocalProgress
{
    public required string Federation { get; init; }

    public required AssignmentKey Assignment { get; init; }

    public required string Worker { get; init; }

    /// <summary>Steps done.</summary>
    public required int Step { get; init; }

    public required int Steps { get; init; }

    /// <summary>Mean of the steps' losses so far, nats a token; null before the first finite one.</summary>
    public required double? Loss { get; init; }

    /// <summary>Size of the serialised assignment, envelope included.</summary>
    public required long AssignmentBytes { get; init; }
}
