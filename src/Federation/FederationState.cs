using System.Collections.Immutable;
using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Sampling;

namespace FedKSeed.Federation;

/// <param name="Seeds">Empty once the report is in the log.</param>
/// <param name="IsReported">Whether the log holds its report.</param>
public sealed record Assignment(
    AssignmentKey Key, int BaseVersion, double LearningRate, ReadOnlyMemory<ushort> Seeds, DateTimeOffset AssignedAt, bool IsReported);

public sealed record OpenRound(int Number, ImmutableSortedSet<string> Participants, DateTimeOffset StartedAt);

/// <summary>
/// What a federation is after some entries of its log. Immutable; <see cref="FederationFold"/> makes the next one.
/// </summary>
public sealed record FederationState
{
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

    /// <summary>Assignments that could still be reported, or were a short while ago: those within the staleness bound.</summary>
    public ImmutableSortedDictionary<AssignmentKey, Assignment> Assignments { get; init; } =
        ImmutableSortedDictionary<AssignmentKey, Assignment>.Empty;

    /// <summary>Reports in the log that no commit has taken in yet, each with its assignment.</summary>
    public ImmutableList<(ScalarsReportedEntry Report, Assignment Assignment)> Uncommitted { get; init; } = [];

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

    /// <summary>Rounds close after a number of reports, and free clients join the open one.</summary>
    public bool IsContinuous => Settings is { CommitEvery: > 0 };

    public ModelEvaluatedEntry? EvaluationOf(int version) => Evaluations.GetValueOrDefault(version);

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
