namespace FedKSeed.Federation;

/// <summary>What RoundService does next.</summary>
public abstract record RoundDecision
{
    /// <param name="For">What it waits for, for a person to read.</param>
    public sealed record Wait(string For) : RoundDecision;

    public sealed record Start(int Round, IReadOnlyList<string> Participants) : RoundDecision;

    public sealed record Close(int Round, RoundEnd Reason) : RoundDecision;

    public sealed record End(FederationEnd Reason, int Version) : RoundDecision;
}

/// <summary>
/// When a round starts and closes and when the federation is finished: one table, from the book, the reports in hand, who is alive
/// and the time. It keeps no state of its own, so a restarted RoundService decides as the one before it would have.
/// </summary>
public static class RoundPolicy
{
    /// <summary>How long the end of a federation, or the next round of a synchronous one, waits for an evaluation.</summary>
    public static readonly TimeSpan EvaluationPatience = TimeSpan.FromMinutes(2);

    /// <param name="inHand">Assignments whose reports were accepted and are not committed.</param>
    /// <param name="alive">Clients heard of lately.</param>
    public static RoundDecision Decide(
        FederationState book, IReadOnlySet<AssignmentKey> inHand, IReadOnlyCollection<string> alive, DateTimeOffset now)
    {
        if (book.Settings is not { } settings)
            return new RoundDecision.Wait("the federation to open");
        if (book.Closed is not null)
            return new RoundDecision.Wait("nothing: the federation is closed");
        if (book.Round is { } round)
            return DecideOpen(settings, round, inHand, now);

        var isPatient = now < book.VersionSince + EvaluationPatience;
        var awaitsEvaluation = settings.IsEvaluationDue(book.Version) && book.EvaluationOf(book.Version) is null && isPatient;
        if (book.HasDiverged)
            return new RoundDecision.End(FederationEnd.Diverged, book.BestVersion);
        if (book.Version >= settings.Rounds)
        {
            return awaitsEvaluation
                ? new RoundDecision.Wait("the evaluation of the last version")
                : new RoundDecision.End(FederationEnd.Completed, book.Version);
        }
        if (settings.Synchronous && awaitsEvaluation)
            return new RoundDecision.Wait($"the evaluation of version {book.Version}");

        var participants = alive.Where(client => IsFree(book, inHand, client, now)).Order(StringComparer.Ordinal).ToArray();
        return participants.Length >= settings.MinimumClients
            ? new RoundDecision.Start(book.LastRound + 1, participants)
            : new RoundDecision.Wait($"clients: {participants.Length} of at least {settings.MinimumClients} are ready");
    }

    private static RoundDecision DecideOpen(
        FederationSettings settings, OpenRound round, IReadOnlySet<AssignmentKey> inHand, DateTimeOffset now)
    {
        var reported = round.Participants.Count(client => inHand.Contains(new AssignmentKey(round.Number, client)));
        var quorum = QuorumOf(settings, round.Participants.Count);
        if (reported >= quorum)
            return new RoundDecision.Close(round.Number, RoundEnd.Quorum);
        if (now >= round.StartedAt + settings.RoundDeadline)
            return new RoundDecision.Close(round.Number, RoundEnd.Deadline);
        return new RoundDecision.Wait($"reports of round {round.Number}: {reported} of {quorum} are in hand");
    }

    /// <summary>Reports that close a round of so many participants at once.</summary>
    public static int QuorumOf(FederationSettings settings, int participants) =>
        Math.Max(1, (int)Math.Ceiling(settings.Quorum * participants));

    /// <summary>
    /// A straggler gets no second assignment while it works off its first, for at most two deadlines: then its assignment counts
    /// as lost, so that a federation whose messages were lost goes on.
    /// </summary>
    private static bool IsFree(FederationState book, IReadOnlySet<AssignmentKey> inHand, string client, DateTimeOffset now) =>
        !book.Assignments.Values.Any(assignment =>
            assignment.Key.Client == client
            && !assignment.IsReported
            && !inHand.Contains(assignment.Key)
            && now < assignment.AssignedAt + 2 * book.Settings!.RoundDeadline);
}
