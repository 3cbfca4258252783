using System.Collections.Immutable;
using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rates;
using FedKSeed.Federation.Sampling;

namespace FedKSeed.Federation;

/// <param name="Seeds">Empty once the report is in the log.</param>
/// <param name="IsReported">Whether the log holds its report.</param>
/// <param name="IsLost">Whether its client was barred after it: nobody waits for its report any more.</param>
public sealed record Assignment(
    AssignmentKey Key, int BaseVersion, double LearningRate, ReadOnlyMemory<ushort> Seeds, DateTimeOffset AssignedAt, bool IsReported,
    bool IsLost = false);

/// <summary>An accepted report that waits for its commit.</summary>
/// <param name="Assignment">As it was before the report.</param>
/// <param name="Seeds">Seed index of each step that gave a scalar.</param>
public sealed record UncommittedReport(ScalarsReportedEntry Report, Assignment Assignment, ReadOnlyMemory<ushort> Seeds);

public sealed record OpenRound(int Number, ImmutableSortedSet<string> Participants, DateTimeOffset StartedAt);

/// <summary>
/// What a federation is after some entries of its log. Immutable; <see cref="FederationFold"/> makes the next one.
/// </summary>
public sealed record FederationState
{
    /// <summary>The format that the log is written in, to its end: <see cref="LogProtocol"/>.</summary>
    public int Protocol { get; init; }

    /// <summary>Null before the federation is opened.</summary>
    public FederationSettings? Settings { get; init; }

    /// <summary>When the federation was opened.</summary>
    public DateTimeOffset OpenedAt { get; init; }

    public LogHead Head { get; init; } = LogHead.Start;

    /// <summary>Number of commits.</summary>
    public int Version { get; init; }

    /// <summary>The last round that was started; 0 before the first.</summary>
    public int LastRound { get; init; }

    /// <summary>The round that waits for reports, if there is one.</summary>
    public OpenRound? Round { get; init; }

    /// <summary>a[K], in units of 2⁻⁴⁰: the trained model.</summary>
    public ReadOnlyMemory<long> Accumulators { get; init; }

    public Importance Importance { get; init; } = Importance.None(0);

    /// <summary>From which the seeds of this version's assignments are drawn.</summary>
    public SeedDistribution? Distribution { get; init; }

    /// <summary>What the learning rates of this version's assignments go by.</summary>
    public ClientHistories Histories { get; init; } = ClientHistories.None;

    /// <summary>Assignments that could still be reported, or were a short while ago: those within the staleness bound.</summary>
    public ImmutableSortedDictionary<AssignmentKey, Assignment> Assignments { get; init; } =
        ImmutableSortedDictionary<AssignmentKey, Assignment>.Empty;

    /// <summary>Reports in the log that no commit has taken in yet.</summary>
    public ImmutableList<UncommittedReport> Uncommitted { get; init; } = [];

    public RoundCommittedEntry? LastCommit { get; init; }

    /// <summary>False when the last commit took in reports, but no client of them had a finite loss.</summary>
    public bool LastCommitHadScalars { get; init; } = true;

    /// <summary>When the present version came to be.</summary>
    public DateTimeOffset VersionSince { get; init; }

    /// <summary>Evaluations by version.</summary>
    public ImmutableSortedDictionary<int, ModelEvaluatedEntry> Evaluations { get; init; } =
        ImmutableSortedDictionary<int, ModelEvaluatedEntry>.Empty;

    /// <summary>The first evaluation in the log: what a divergence is measured by.</summary>
    public ModelEvaluatedEntry? FirstEvaluation { get; init; }

    /// <summary>The last evaluation in the log.</summary>
    public ModelEvaluatedEntry? LatestEvaluation { get; init; }

    /// <summary>The evaluation with the least finite loss, the earlier in the log of equals.</summary>
    public ModelEvaluatedEntry? BestEvaluation { get; init; }

    /// <summary>The first evaluation in the log whose loss reached the target, if the federation has one.</summary>
    public ModelEvaluatedEntry? TargetReachedBy { get; init; }

    public FederationClosedEntry? Closed { get; init; }

    /// <summary>Who paused the federation and why; null while it is not paused.</summary>
    public FederationPausedEntry? Paused { get; init; }

    /// <summary>
    /// The last bar of each client that was not readmitted since. One that has an end stands here after it too: ask <see cref="IsBarred"/>.
    /// </summary>
    public ImmutableSortedDictionary<string, ClientBarredEntry> Barred { get; init; } =
        ImmutableSortedDictionary.Create<string, ClientBarredEntry>(StringComparer.Ordinal);

    /// <summary>Rounds close after a number of reports, and free clients join the open one.</summary>
    public bool IsContinuous => Settings is { CommitEvery: > 0 };

    public bool IsBarred(string client, DateTimeOffset at) => BarOf(client, at) is not null;

    /// <summary>The bar that a client is under at some time; null for none. Its last instant is the one before its end.</summary>
    public ClientBarredEntry? BarOf(string client, DateTimeOffset at) =>
        Barred.TryGetValue(client, out var barred) && !(at >= barred.Until) ? barred : null;

    public ModelEvaluatedEntry? EvaluationOf(int version) => Evaluations.GetValueOrDefault(version);

    /// <summary>Whether a client has, or had a short while ago, an assignment; found without looking at those of others.</summary>
    public bool HasAssigned(string client)
    {
        for (var round = LastRound; round > 0 && round >= LastRound - (Settings?.StalenessBound ?? 0) - 1; round--)
            if (Assignments.ContainsKey(new AssignmentKey(round, client)))
                return true;
        return false;
    }

    /// <summary>
    /// The version that the client's assignment before this one was based on; null when there was none within the staleness bound. All
    /// turns of a round are based on one version.
    /// </summary>
    public int? VersionBefore(AssignmentKey key)
    {
        var earliest = Math.Max(1, key.Round - Settings!.StalenessBound - 1);
        for (var round = key.Turn > 0 ? key.Round : key.Round - 1; round >= earliest; round--)
            if (Assignments.TryGetValue(new AssignmentKey(round, key.Client), out var before))
                return before.BaseVersion;
        return null;
    }

    /// <summary>The evaluated version with the least held-out loss; the base model when none was evaluated.</summary>
    public int BestVersion => BestEvaluation?.Version ?? 0;

    /// <summary>The version that the settings keep when nothing went wrong.</summary>
    public int KeptVersion => Settings is { Keep: Federation.KeptVersion.Best } && BestEvaluation is { } best ? best.Version : Version;

    public bool HasDiverged
    {
        get
        {
            if (!LastCommitHadScalars)
                return true;
            return FirstEvaluation is { } first && LatestEvaluation is { } latest
                && (latest.Loss is not { } loss || loss > first.Loss * Settings!.DivergenceFactor);
        }
    }
}
