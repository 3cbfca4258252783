using System.Collections.Immutable;
using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using FedKSeed.Federation.Sampling;

namespace FedKSeed.Federation;

/// <summary>
/// The one function from a log to a federation. SeedService, replay, verify, the simulator and the tests all call it. It
/// recomputes whatever an entry claims (drawn seeds, weights, accumulators), so folding a log verifies it.
/// </summary>
public static class FederationFold
{
    // Of a held-out loss, nats a token: a uniform guess over any vocabulary is below 20.
    private const double MaximumLoss = 1e9;

    private static readonly DateTimeOffset Earliest = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);
    internal static readonly DateTimeOffset Latest = new(2200, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static FederationState Fold(FederationState state, IEnumerable<LogEntry> entries) => entries.Aggregate(state, Apply);

    /// <exception cref="InvalidEntryException">The entry cannot follow the state.</exception>
    public static FederationState Apply(FederationState state, LogEntry entry)
    {
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(entry);
        if (entry.Sequence != state.Head.Length)
            throw new InvalidEntryException(entry.Sequence, $"entry {state.Head.Length} was expected");
        if (entry.Time.Offset != TimeSpan.Zero || entry.Time < Earliest || entry.Time >= Latest)
            throw new InvalidEntryException(entry.Sequence, $"its time is not in UTC between the years {Earliest.Year} and {Latest.Year}");
        try
        {
            return After(state, entry.Event, entry.Time) with { Head = new LogHead(entry.Sequence + 1, entry.Hash) };
        }
        catch (InvalidTransitionException fault)
        {
            throw new InvalidEntryException(entry.Sequence, fault.Message);
        }
        catch (OverflowException)
        {
            throw new InvalidEntryException(entry.Sequence, "its numbers overflow an accumulator");
        }
    }

    private static FederationState After(FederationState state, LogEvent happened, DateTimeOffset time) => happened switch
    {
        FederationOpenedEntry opened => Open(state, opened, time),
        _ when state.Settings is null => throw new InvalidTransitionException("the federation is not open"),
        _ when state.Closed is not null => throw new InvalidTransitionException("the federation is closed"),
        RoundStartedEntry started => Start(state, started, time),
        SeedsAssignedEntry assigned => Assign(state, assigned, time),
        ScalarsReportedEntry reported => Take(state, reported, time),
        RoundCommittedEntry committed => Commit(state, committed, time),
        ModelEvaluatedEntry evaluated => Evaluate(state, evaluated),
        FederationClosedEntry closed => Close(state, closed),
        FederationPausedEntry paused => Pause(state, paused),
        FederationResumedEntry resumed => Resume(state, resumed),
        ClientBarredEntry barred => Bar(state, barred, time),
        ClientReadmittedEntry readmitted => Readmit(state, readmitted, time),
        _ => throw new InvalidTransitionException($"{happened.GetType().Name} is unknown"),
    };

    private static FederationState Open(FederationState state, FederationOpenedEntry opened, DateTimeOffset time)
    {
        Require(state.Settings is null, "the federation is open already");
        Require(opened.Settings.Faults() is not { Count: > 0 } faults, string.Join(" ", opened.Settings.Faults()));
        Require(
            opened.Settings.Directions is { Adapter: null } or { Adapter.Digest: not null, Tensors: not null },
            "its adapter comes without the digest of its first values, or without the tensors that are tuned");
        if (opened.Actor is { } actor)
            RequireSteering(opened.Protocol, actor);
        var seeds = opened.Settings.Directions.SeedCount;
        return state with
        {
            Protocol = opened.Protocol,
            Settings = opened.Settings,
            OpenedAt = time,
            Accumulators = new long[seeds],
            Importance = Importance.None(seeds),
            Distribution = opened.Settings.Sampling.Distribution(Importance.None(seeds)),
            VersionSince = time,
        };
    }

    private static FederationState Start(FederationState state, RoundStartedEntry started, DateTimeOffset time)
    {
        Require(state.Round is null, $"round {state.Round?.Number} is still open");
        Require(state.Paused is null, $"the federation is paused: round {started.Round} cannot start");
        Require(started.Round == state.LastRound + 1, $"round {state.LastRound + 1} was expected, not {started.Round}");
        Require(started.Round <= state.Settings!.Rounds, $"the federation has {state.Settings.Rounds} rounds");
        Require(started.Participants.Count <= Limits.Participants, $"a round has at most {Limits.Participants} participants");
        foreach (var client in started.Participants)
        {
            RequireName(client);
            Require(!state.IsBarred(client, time), $"{client} is barred and cannot take part");
        }
        Require(IsStrictlyAscending(started.Participants), "its participants are not a set in ordinal order");
        return state with
        {
            Round = new OpenRound(started.Round, started.Participants.ToImmutableSortedSet(StringComparer.Ordinal), time),
            LastRound = started.Round
        };
    }

    private static FederationState Assign(FederationState state, SeedsAssignedEntry assigned, DateTimeOffset time)
    {
        var key = assigned.Key;
        RequireName(assigned.Client);
        Require(state.Round?.Number == assigned.Round, $"round {assigned.Round} is not open");
        Require(!state.IsBarred(assigned.Client, time), $"{assigned.Client} is barred and gets no assignment");
        Require(state.Paused is null, $"the federation is paused: {assigned.Client} gets no assignment");
        var isParticipant = state.Round!.Participants.Contains(assigned.Client);
        Require(isParticipant || state.IsContinuous, $"{assigned.Client} does not take part in round {assigned.Round}");
        Require(!state.Assignments.ContainsKey(key), $"assignment {key} was made before");
        Require(key.Turn == 0 || state.IsContinuous, $"assignment {key} would be a second one in a round of this federation");
        Require(
            key.Turn == 0 || (key.Turn > 0 && state.Assignments.ContainsKey(key with { Turn = key.Turn - 1 })),
            $"assignment {key} skips a turn");
        Require(assigned.BaseVersion == state.Version, $"the base version is {state.Version}, not {assigned.BaseVersion}");
        var promised = FederationDecisions.Draw(state, key);
        Require(HasSeeds(assigned.Seeds, state, promised.Seeds), "its seeds were not drawn as promised");
        // Not for equality: the cosine of a schedule may differ between platforms in its last bit.
        Require(Math.Abs(promised.LearningRate - assigned.LearningRate) <= 1e-12 * promised.LearningRate,
            $"the learning rate of {assigned.Client} in round {assigned.Round} is {promised.LearningRate}, not {assigned.LearningRate}");
        var assignment = promised with { LearningRate = assigned.LearningRate, AssignedAt = time };
        return state with
        {
            Round = isParticipant ? state.Round : state.Round with { Participants = state.Round.Participants.Add(assigned.Client) },
            Assignments = state.Assignments.Add(key, assignment),
        };
    }

    /// <summary>The state after a report; a decision needs it before the report is in the log.</summary>
    internal static FederationState Take(FederationState state, ScalarsReportedEntry report, DateTimeOffset time)
    {
        var key = report.Key;
        Require(!state.IsBarred(report.Client, time), $"{report.Client} is barred: its report does not count");
        Require(state.Assignments.TryGetValue(key, out var assignment), $"there is no assignment {key}");
        Require(!assignment!.IsReported, $"assignment {key} was reported before");
        Require(!Dropout.Takes(state.Settings!, key), $"the federation's dropout takes the report on {key}");
        Require(report.BaseVersion == assignment.BaseVersion, $"assignment {key} is based on version {assignment.BaseVersion}");
        Require(report.Examples is >= 1 and <= Limits.Examples, "its number of examples is out of range");
        var seeds = SeedsOf(report, assignment, state);
        foreach (var scalar in report.Scalars.Span)
            Require(float.IsFinite(scalar) && Math.Abs(scalar) <= state.Settings!.MaximumScalar, "a scalar is out of range");
        if (FederationDecisions.LossFault(state.Settings!, report.MeanLoss, report.Scalars.Length) is { } fault)
            throw new InvalidTransitionException(fault);
        return state with
        {
            Assignments = state.Assignments.SetItem(key, assignment with { IsReported = true, Seeds = default }),
            Uncommitted = state.Uncommitted.Add(new UncommittedReport(report, assignment, seeds)),
        };
    }

    private static FederationState Commit(FederationState state, RoundCommittedEntry committed, DateTimeOffset time)
    {
        Require(state.Round?.Number == committed.Round, $"round {committed.Round} is not open");
        Require(Enum.IsDefined(committed.Closed), "its reason is none that there is");
        var (expected, accumulators, histories) = FederationDecisions.CommitOf(state, committed.Closed);
        Require(committed.Version == expected.Version, $"it makes version {expected.Version}, not {committed.Version}");
        Require(committed.Reports.SequenceEqual(expected.Reports), "its reports and weights are not those before it in the log");
        Require(committed.Digest == expected.Digest, "its digest is not that of the accumulators its reports lead to");

        var settings = state.Settings!;
        var importance = state.Importance.Add(
            state.Uncommitted.Select(item => (item.Seeds, item.Report.Scalars)), settings.ImportanceClip);
        return state with
        {
            Round = null,
            Version = committed.Version,
            VersionSince = time,
            Accumulators = accumulators,
            Importance = importance,
            Distribution = settings.Sampling.Distribution(importance),
            Histories = histories,
            Assignments = state.Assignments.RemoveRange(state.Assignments
                .TakeWhile(item => committed.Version - item.Value.BaseVersion > settings.StalenessBound).Select(item => item.Key)),
            Uncommitted = [],
            LastCommit = committed,
            LastCommitHadScalars = committed.Reports.Count == 0 || state.Uncommitted.Exists(item => item.Report.Scalars.Length > 0),
        };
    }

    private static FederationState Evaluate(FederationState state, ModelEvaluatedEntry evaluated)
    {
        Require(evaluated.Version >= 0 && evaluated.Version <= state.Version, $"there is no version {evaluated.Version} yet");
        Require(state.EvaluationOf(evaluated.Version) is null, $"version {evaluated.Version} was evaluated before");
        Require(evaluated.Examples is >= 1 and <= Limits.Examples, "its number of examples is out of range");
        Require(evaluated.Loss is null or (>= 0 and <= MaximumLoss), "its loss is out of range");
        Require(evaluated.ExactMatch is >= 0 and <= 1 && evaluated.RougeL is >= 0 and <= 1, "a share is not between 0 and 1");
        return state with
        {
            Evaluations = state.Evaluations.Add(evaluated.Version, evaluated),
            FirstEvaluation = state.FirstEvaluation ?? evaluated,
            LatestEvaluation = evaluated,
            BestEvaluation = evaluated.Loss is { } loss && !(loss >= state.BestEvaluation?.Loss) ? evaluated : state.BestEvaluation,
            TargetReachedBy = state.TargetReachedBy
                ?? (state.Settings!.TargetLoss > 0 && evaluated.Loss <= state.Settings.TargetLoss ? evaluated : null),
        };
    }

    private static FederationState Close(FederationState state, FederationClosedEntry closed)
    {
        Require(state.Round is null, $"round {state.Round?.Number} is still open");
        Require(closed.Version >= 0 && closed.Version <= state.Version, $"there is no version {closed.Version}");
        Require(Enum.IsDefined(closed.Reason), "its reason is none that there is");
        Require(
            closed.Actor is null == closed.Reason is not FederationEnd.Stopped,
            $"an end says who made it if it is {nameof(FederationEnd.Stopped)}, and only then");
        Require(closed.Why is null || (closed.Actor is not null && closed.Why.Length > 0), "an end that nobody made has no words");
        if (closed.Actor is { } actor)
            RequireSteering(state.Protocol, actor, closed.Why ?? "");
        return state with { Closed = closed };
    }

    private static FederationState Pause(FederationState state, FederationPausedEntry paused)
    {
        RequireSteering(state.Protocol, paused.Actor, paused.Reason);
        Require(state.Paused is null, "the federation is paused already");
        return state with { Paused = paused };
    }

    private static FederationState Resume(FederationState state, FederationResumedEntry resumed)
    {
        RequireSteering(state.Protocol, resumed.Actor);
        Require(state.Paused is not null, "the federation is not paused");
        return state with { Paused = null };
    }

    private static FederationState Bar(FederationState state, ClientBarredEntry barred, DateTimeOffset time)
    {
        RequireSteering(state.Protocol, barred.Actor, barred.Reason);
        RequireName(barred.Client);
        Require(barred.Until is null || barred.Until > time, "its end is not after it");
        Require(
            barred.Until is null || (barred.Until.Value.Offset == TimeSpan.Zero && barred.Until < Latest),
            $"its end is not in UTC before the year {Latest.Year}");
        Require(
            !(state.BarOf(barred.Client, time) is { } before && FederationDecisions.IsSame(before, barred.Reason, barred.Until)),
            $"{barred.Client} is barred for that reason and as long already");
        return state with
        {
            Barred = state.Barred.SetItem(barred.Client, barred),
            Assignments = state.Assignments.SetItems(state.Assignments
                .Where(item => item.Key.Client == barred.Client && !item.Value.IsReported)
                .Select(item => KeyValuePair.Create(item.Key, item.Value with { IsLost = true }))),
            // No decision leaves a report in the log without its commit; a log that was cut off there goes on all the same.
            Uncommitted = state.Uncommitted.RemoveAll(item => item.Report.Client == barred.Client),
        };
    }

    private static FederationState Readmit(FederationState state, ClientReadmittedEntry readmitted, DateTimeOffset time)
    {
        RequireSteering(state.Protocol, readmitted.Actor, readmitted.Reason);
        RequireName(readmitted.Client);
        Require(state.IsBarred(readmitted.Client, time), $"{readmitted.Client} is not barred");
        return state with { Barred = state.Barred.Remove(readmitted.Client) };
    }

    private static void RequireSteering(int protocol, string actor, string reason = "")
    {
        Require(protocol >= LogProtocol.FirstSteered, $"a log of format {protocol} does not say who steers its federation");
        if (SteeringWords.Fault(actor, reason) is { } fault)
            throw new InvalidTransitionException(fault);
    }

    private static void RequireName(string client) => Require(Names.IsSound(client), $"a client's name is not {Names.Rule}");

    private static bool IsStrictlyAscending(IReadOnlyList<string> names) =>
        names.Count > 0 && names.Zip(names.Skip(1)).All(pair => string.CompareOrdinal(pair.First, pair.Second) < 0);

    /// <summary>Whether an entry has the seeds that it should: those, in a format that has them, and none in one that has not.</summary>
    private static bool HasSeeds(ReadOnlyMemory<ushort>? seeds, FederationState state, ReadOnlyMemory<ushort> expected) =>
        seeds is { } given
            ? state.Protocol <= LogProtocol.LastWithSeeds && given.Span.SequenceEqual(expected.Span)
            : state.Protocol > LogProtocol.LastWithSeeds;

    /// <summary>Seeds of the steps that gave a scalar.</summary>
    private static ReadOnlyMemory<ushort> SeedsOf(ScalarsReportedEntry report, Assignment assignment, FederationState state)
    {
        if (state.Protocol <= LogProtocol.LastWithSeeds)
        {
            Require(report.Skipped is null && report.Seeds is not null, "a report of this format has seeds, and no skipped steps");
            var given = report.Seeds!.Value;
            Require(given.Length == report.Scalars.Length, "it has not one seed for every scalar");
            Require(IsSubsequence(given.Span, assignment.Seeds.Span), $"its seeds are not those of assignment {assignment.Key}");
            return given;
        }
        Require(report.Seeds is null, "a report of this format has no seeds");
        Require(report.Skipped is not { Count: 0 }, "a report that skipped no step does not say which");
        var skipped = report.Skipped ?? [];
        if (FederationDecisions.SkippedFault(report.Scalars.Length, skipped, assignment.Seeds.Length) is { } fault)
            throw new InvalidTransitionException(fault);
        return FederationDecisions.Without(assignment.Seeds, skipped);
    }

    private static bool IsSubsequence(ReadOnlySpan<ushort> part, ReadOnlySpan<ushort> whole)
    {
        var matched = 0;
        for (var k = 0; k < whole.Length && matched < part.Length; k++)
            if (whole[k] == part[matched])
                matched++;
        return matched == part.Length;
    }

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
            throw new InvalidTransitionException(otherwise);
    }

    private sealed class InvalidTransitionException(string message) : Exception(message);
}
