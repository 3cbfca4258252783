using System.Security.Cryptography;
using System.Text;
using FedKSeed.Contracts;
using FedKSeed.Federation.Log;

namespace FedKSeed.Federation.Rounds;

/// <summary>What RoundService does next.</summary>
public abstract record RoundDecision
{
    /// <param name="For">What it waits for, for a person to read.</param>
    public sealed record Wait(string For) : RoundDecision;

    public sealed record Start(int Round, IReadOnlyList<string> Participants) : RoundDecision;

    /// <summary>
    /// Clients that are free, because they reported or appeared, get an assignment in the open round of a continuous federation.
    /// </summary>
    public sealed record Join(int Round, IReadOnlyList<string> Clients) : RoundDecision;

    public sealed record Close(int Round, RoundEnd Reason) : RoundDecision;

    public sealed record End(FederationEnd Reason, int Version) : RoundDecision;
}

/// <summary>
/// When a round starts and closes and when the federation is finished: one table, from the log's state, the reports in hand, who is alive
/// and the time. It keeps no state of its own, so a restarted RoundService decides as the one before it would have. The first row
/// that holds decides:
/// <code>
/// not open, or closed                                             wait
/// a round is open
///   enough reports in hand (quorum; CommitEvery of any round)     close: quorum
///   synchronous, and dropout takes every report that is missing   close: deadline
///   every participant is barred; not of a continuous federation   close: deadline
///   deadline passed, and MinimumReports in hand or a second one   close: deadline
///   continuous, not paused, and clients are free (again)          they join
///   otherwise                                                     wait
/// between rounds
///   diverged                                                      end, with the best version
///   the target loss is reached                                    end
///   last round done, or time is up; its evaluation in, or late    end
///   paused                                                        wait
///   synchronous, and an evaluation is due                         wait, with patience
///   enough clients are free                                       start
///   otherwise                                                     wait
/// </code>
/// A client that is barred now is not free, a quorum is of the participants that are not, and nobody waits for its report, nor counts
/// one. Deadlines and the limit of time go on while a federation is paused.
/// </summary>
public static class RoundPolicy
{
    /// <summary>How long the end of a federation, or the next round of a synchronous one, waits for an evaluation.</summary>
    public static readonly TimeSpan EvaluationPatience = TimeSpan.FromMinutes(2);

    /// <param name="inHand">Assignments whose reports were accepted and are not committed.</param>
    /// <param name="alive">Clients heard of lately.</param>
    public static RoundDecision Decide(
        FederationState state, IReadOnlySet<AssignmentKey> inHand, IReadOnlyCollection<string> alive, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.Settings is not { } settings)
            return new RoundDecision.Wait("the federation to open");
        if (state.Closed is not null)
            return new RoundDecision.Wait("nothing: the federation is closed");
        if (!state.Barred.IsEmpty)
            inHand = inHand.Where(key => !state.IsBarred(key.Client, now)).ToHashSet();
        string[] Free() => [.. FreeClients(state, inHand, alive, now)];
        return state.Round is { } round
            ? WhileOpen(state, settings, round, inHand, Free, now)
            : BetweenRounds(state, settings, Free, now);
    }

    /// <summary>
    /// How long an assignment keeps its client from getting another one, and how long it is worth starting on: two deadlines. Then it
    /// counts as lost, so that a federation whose messages were lost goes on; a report on it still counts within the staleness bound.
    /// </summary>
    public static TimeSpan AssignmentLifetime(FederationSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return 2 * settings.RoundDeadline;
    }

    /// <summary>Reports that close a round of so many participants at once.</summary>
    public static int QuorumOf(FederationSettings settings, int participants)
    {
        ArgumentNullException.ThrowIfNull(settings);
        // The tiny subtraction keeps a quotient like 8 × 1.1 / 1.1 from becoming 9.
        return Math.Max(1, (int)Math.Ceiling(settings.Quorum * participants / settings.OverSelection - 1e-9));
    }

    private static RoundDecision WhileOpen(
        FederationState state, FederationSettings settings, OpenRound round, IReadOnlySet<AssignmentKey> inHand, Func<string[]> free,
        DateTimeOffset now)
    {
        var reports = state.IsContinuous
            ? inHand.Count
            : round.Participants.Count(client => inHand.Contains(new AssignmentKey(round.Number, client)));
        var awaited = state.Barred.IsEmpty
            ? round.Participants.Count
            : round.Participants.Count(client => !state.IsBarred(client, now));
        var enough = state.IsContinuous ? settings.CommitEvery : QuorumOf(settings, awaited);
        if (reports >= enough)
            return new RoundDecision.Close(round.Number, RoundEnd.Quorum);

        // Nothing is to depend on timing, and these reports never come: their deadline is now.
        if (settings.Synchronous && round.Participants.All(client => new AssignmentKey(round.Number, client) is var key
            && (inHand.Contains(key) || Dropout.Takes(settings, key) || state.IsBarred(client, now))))
            return new RoundDecision.Close(round.Number, RoundEnd.Deadline);
        if (awaited == 0 && !state.IsContinuous)
            return new RoundDecision.Close(round.Number, RoundEnd.Deadline);

        var deadlines = inHand.Count >= settings.MinimumReports ? 1 : 2;
        if (now >= round.StartedAt + deadlines * settings.RoundDeadline)
            return new RoundDecision.Close(round.Number, RoundEnd.Deadline);

        if (state.IsContinuous && state.Paused is null)
        {
            var joining = free();
            if (joining.Length > 0)
                return new RoundDecision.Join(round.Number, joining);
        }
        return new RoundDecision.Wait($"reports of round {round.Number}: {reports} of {enough} are in hand");
    }

    private static RoundDecision BetweenRounds(
        FederationState state, FederationSettings settings, Func<string[]> free, DateTimeOffset now)
    {
        if (state.HasDiverged)
            return new RoundDecision.End(FederationEnd.Diverged, state.BestVersion);
        if (settings.TargetLoss > 0 && state.TargetReachedBy is { } reached)
            return new RoundDecision.End(FederationEnd.TargetReached, reached.Version);

        var awaitsEvaluation = settings.IsEvaluationDue(state.Version) && state.EvaluationOf(state.Version) is null
            && now < state.VersionSince + EvaluationPatience;
        if (EndOf(state, settings, now) is { } end)
        {
            return awaitsEvaluation
                ? new RoundDecision.Wait("the evaluation of the last version")
                : new RoundDecision.End(end, state.KeptVersion);
        }
        if (state.Paused is { } paused)
            return new RoundDecision.Wait("somebody to resume it" + (paused.Reason.Length > 0 ? $": {paused.Reason}" : ""));
        if (settings.Synchronous && awaitsEvaluation)
            return new RoundDecision.Wait($"the evaluation of version {state.Version}");

        var clients = free();
        // A continuous federation gathers its clients once; after that whoever is free goes on.
        var minimum = state.IsContinuous && state.LastRound > 0 ? 1 : settings.MinimumClients;
        return clients.Length >= minimum
            ? new RoundDecision.Start(state.LastRound + 1, Invite(settings, state.LastRound + 1, clients))
            : new RoundDecision.Wait($"clients: {clients.Length} of at least {minimum} are ready");
    }

    private static FederationEnd? EndOf(FederationState state, FederationSettings settings, DateTimeOffset now)
    {
        if (state.Version >= settings.Rounds)
            return FederationEnd.Completed;
        return settings.TimeLimit > TimeSpan.Zero && now >= state.OpenedAt + settings.TimeLimit ? FederationEnd.TimeIsUp : null;
    }

    /// <summary>Those of the free clients that take part: a draw that follows from pool key and round (SPEC 11).</summary>
    private static string[] Invite(FederationSettings settings, int round, string[] free)
    {
        var wanted = settings.ParticipantsPerRound > 0
            ? settings.ParticipantsPerRound
            : Math.Max(1, (int)Math.Ceiling(settings.Participation * free.Length - 1e-9));
        var invited = (int)Math.Min(free.Length, Math.Ceiling(wanted * settings.OverSelection - 1e-9));
        return invited == free.Length
            ? free
            : [.. free.OrderBy(client => Lot(settings.Directions.PoolKey, round, client), StringComparer.Ordinal).Take(invited)
                .Order(StringComparer.Ordinal)];
    }

    private static string Lot(ulong poolKey, int round, string client) =>
        Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"fedkseed/participation/1:{poolKey}:{round}:{client}")));

    /// <summary>
    /// A straggler gets no second assignment while it works off its first, unless that counts as lost; of a synchronous federation one
    /// whose report dropout takes counts so at once.
    /// </summary>
    private static IEnumerable<string> FreeClients(
        FederationState state, IReadOnlySet<AssignmentKey> inHand, IReadOnlyCollection<string> alive, DateTimeOffset now)
    {
        var busy = state.Assignments.Values
            .Where(assignment => !assignment.IsReported && !assignment.IsLost
                && now < assignment.AssignedAt + AssignmentLifetime(state.Settings!))
            .Select(assignment => assignment.Key)
            .Where(key => !inHand.Contains(key) && !(state.Settings!.Synchronous && Dropout.Takes(state.Settings, key)))
            .Select(key => key.Client)
            .ToHashSet(StringComparer.Ordinal);
        return alive.Where(client => !busy.Contains(client) && !state.IsBarred(client, now)).Order(StringComparer.Ordinal);
    }
}
