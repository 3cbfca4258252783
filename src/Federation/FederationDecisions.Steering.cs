using FedKSeed.Contracts;
using FedKSeed.Federation.Log;

namespace FedKSeed.Federation;

/// <content>
/// What people do to a federation. Each gives no event when it is so already, so that a repeated message changes nothing, and none
/// before the federation is open or after it is closed. A log of an older format, which has no entries for these, is refused:
/// <see cref="InvalidOperationException"/>. Names and reasons that no log may hold are <see cref="FormatException"/>.
/// </content>
public static partial class FederationDecisions
{
    /// <summary>
    /// No new round starts, and nobody joins one, until the federation is resumed. The open round closes as it would have.
    /// </summary>
    public static IReadOnlyList<LogEvent> Pause(FederationState state, string reason, string actor) =>
        Steer(state, new FederationPausedEntry(actor, reason), actor, reason, isSoAlready: state.Paused is not null);

    /// <summary>Lets a paused federation go on.</summary>
    public static IReadOnlyList<LogEvent> Resume(FederationState state, string actor) =>
        Steer(state, new FederationResumedEntry(actor), actor, "", isSoAlready: state.Paused is null);

    /// <summary>
    /// From now on nothing of a client counts. Its reports in hand are dropped with the bar (<see cref="DroppedBy"/>) and never reach the
    /// log; what commits took in stays. Barring again with another reason or end takes the place of the bar before.
    /// </summary>
    /// <param name="until">When it is over by itself; null for when the client is readmitted. A time that is past changes nothing.</param>
    public static IReadOnlyList<LogEvent> Bar(
        FederationState state, string client, string reason, string actor, DateTimeOffset? until, DateTimeOffset now)
    {
        Names.RequireClient(client);
        until = until?.ToUniversalTime();
        if (until >= FederationFold.Latest)
            throw new FormatException($"its end is not before the year {FederationFold.Latest.Year}; one without an end is for good");
        return Steer(
            state, new ClientBarredEntry(client, reason, actor, until), actor, reason,
            isSoAlready: until <= now || (state.BarOf(client, now) is { } before && IsSame(before, reason, until)));
    }

    /// <summary>Lets a barred client take part again.</summary>
    public static IReadOnlyList<LogEvent> Readmit(FederationState state, string client, string reason, string actor, DateTimeOffset now)
    {
        Names.RequireClient(client);
        return Steer(
            state, new ClientReadmittedEntry(client, reason, actor), actor, reason, isSoAlready: !state.IsBarred(client, now));
    }

    /// <summary>
    /// Ends the federation whenever somebody wants it to, with the version that the settings keep. An open round is committed first, as by
    /// its deadline, with the reports in hand; between rounds they are written down and count in no version, as when it closes by itself.
    /// </summary>
    public static IReadOnlyList<LogEvent> Stop(
        FederationState state, string actor, IEnumerable<ScalarsReportedEntry> inHand, DateTimeOffset now, string why = "")
    {
        RequireWords(actor, why);
        if (state.Settings is null || state.Closed is not null)
            return [];
        RequireSteerable(state);
        var before = state.Round is { } round
            ? Commit(state, round.Number, RoundEnd.Deadline, inHand, now)
            : Counting(state, inHand, now);
        var kept = (state.Round is null ? state : state with { Version = state.Version + 1 }).KeptVersion;
        return [.. before, new FederationClosedEntry(FederationEnd.Stopped, kept, actor, why.Length > 0 ? why : null)];
    }

    /// <summary>
    /// Which assignments' reports are to leave the hand with the append of these events: those of clients that they bar. Reports that the
    /// events take into the log leave it as ever.
    /// </summary>
    public static IReadOnlyList<AssignmentKey> DroppedBy(IReadOnlyList<LogEvent> events, IEnumerable<AssignmentKey> inHand)
    {
        ArgumentNullException.ThrowIfNull(events);
        var barred = events.OfType<ClientBarredEntry>().Select(entry => entry.Client).ToHashSet(StringComparer.Ordinal);
        return barred.Count == 0 ? [] : [.. inHand.Where(key => barred.Contains(key.Client))];
    }

    /// <summary>Whether a bar says this already.</summary>
    internal static bool IsSame(ClientBarredEntry barred, string reason, DateTimeOffset? until) =>
        barred.Reason == reason && barred.Until == until;

    private static IReadOnlyList<LogEvent> Steer(FederationState state, LogEvent steered, string actor, string reason, bool isSoAlready)
    {
        RequireWords(actor, reason);
        if (state.Settings is null || state.Closed is not null || isSoAlready)
            return [];
        RequireSteerable(state);
        return [steered];
    }

    private static void RequireSteerable(FederationState state)
    {
        if (state.Protocol < LogProtocol.FirstSteered)
            throw new InvalidOperationException(
                $"Federation '{state.Settings!.Name}' was opened by an earlier version: its log is of format {state.Protocol}, which has "
                    + $"no entries for what people do to a federation (format {LogProtocol.FirstSteered} has). It goes on as it began.");
    }

    private static void RequireWords(string actor, string reason = "")
    {
        if (SteeringWords.Fault(actor, reason) is { } fault)
            throw new FormatException(fault);
    }

    private static string Words(ClientBarredEntry barred)
    {
        var until = barred.Until is { } end ? FormattableString.Invariant($" until {end:yyyy-MM-dd HH:mm:ss} UTC") : "";
        return $"{barred.Client} is barred{until}{(barred.Reason.Length > 0 ? $": {barred.Reason}" : "")}";
    }
}
