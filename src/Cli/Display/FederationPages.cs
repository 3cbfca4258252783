using System.Globalization;
using FedKSeed.Observation;
using FedKSeed.RoundService.Api;

namespace FedKSeed.Cli.Display;

/// <summary>What services say of federations, as text of fixed columns. Pure.</summary>
public static class FederationPages
{
    private const int ShownDigits = 12;

    /// <summary>A line for each.</summary>
    public static string Of(IReadOnlyList<FederationSummary> federations)
    {
        ArgumentNullException.ThrowIfNull(federations);
        if (federations.Count == 0)
            return "There is no federation: fedkseed open FILE opens one.";
        return Table(
            ["Federation", "State", "Version", "Round", "Clients", "Loss", "Opened"],
            federations.Select(one => one.Fault is { } fault
                ? new[] { one.Name, $"its log is wrong: {fault}" }
                :
                [
                    one.Name, StateOf(one), Invariant($"{one.Version}/{one.Rounds}"),
                    one.OpenRound is { } round ? Invariant($"{round}") : "",
                    Invariant($"{one.Clients}"), Quantity.Loss(one.Loss), Time(one.OpenedAt),
                ]));
    }

    /// <summary>All that is known of one, with its clients.</summary>
    public static string Of(FederationDetail detail, IReadOnlyList<ClientStatus> clients)
    {
        ArgumentNullException.ThrowIfNull(detail);
        ArgumentNullException.ThrowIfNull(clients);
        var one = detail.Summary;
        if (one.Fault is { } fault)
            return $"Federation {one.Name}: its log is wrong: {fault}";
        IEnumerable<string> lines =
        [
            Invariant($"Federation {one.Name}: {StateOf(one)}, version {one.Version} of {one.Rounds}, ")
                + Invariant($"{detail.KeptVersion} {(one.Closed is null ? "would be" : "was")} kept."),
            $"  opened  {Time(one.OpenedAt)}",
            Invariant($"  log     {detail.LogEntries} entries, hash {detail.LogHash[..Math.Min(ShownDigits, detail.LogHash.Length)]}…"),
            .. detail.Paused is { } paused ? [$"  paused  {Words(paused)}"] : Array.Empty<string>(),
            .. RoundLines(detail.Round), "",
            .. clients.Count == 0
                ? ["No client has come yet."]
                : new[]
                {
                    Table(
                        ["Client", "State", "Last seen", "Reports", "Excluded"],
                        clients.Select(client => new[]
                        {
                            client.Name, client.IsAlive ? "alive" : "gone", client.LastSeen is { } seen ? Time(seen) : "",
                            Invariant($"{client.Reports}"), client.Barred is { } barred ? Words(barred) : "",
                        })),
                },
            .. detail.Evaluations.Count == 0
                ? Array.Empty<string>()
                :
                [
                    "",
                    Table(
                        ["Version", "Held-out loss", "Exact match", "ROUGE-L", "Examples"],
                        detail.Evaluations.Select(entry => new[]
                        {
                            Invariant($"{entry.Version}"), Quantity.Loss(entry.Loss), Quantity.Share(entry.ExactMatch),
                            Quantity.Share(entry.RougeL), Invariant($"{entry.Examples}"),
                        })),
                ],
        ];
        return string.Join(Environment.NewLine, lines);
    }

    /// <summary>What lines that are about a person's tokens, or anything else of few words, have in common: columns.</summary>
    public static string Table(IReadOnlyList<string> heads, IEnumerable<string[]> rows)
    {
        ArgumentNullException.ThrowIfNull(heads);
        string[][] all = [[.. heads], .. rows.Select(row => row.Select(OneLine).ToArray())];
        // What stands last in its row is as long as it is.
        var widths = heads.Select((_, at) => all.Where(row => row.Length > at + 1).Max(row => (int?)row[at].Length) ?? 0).ToArray();
        return string.Join(Environment.NewLine, all.Select(row =>
            string.Join("  ", row.Select((cell, at) => at == row.Length - 1 ? cell : cell.PadRight(widths[at]))).TrimEnd()));
    }

    private static string StateOf(FederationSummary one) => one switch
    {
        { Closed: { } reason } => $"closed: {reason}",
        { Phase: FederationPhase.Closed } => "closed",
        { Phase: FederationPhase.Paused } => "paused",
        _ => "open",
    };

    private static IEnumerable<string> RoundLines(RoundStatus? round)
    {
        if (round is null)
            yield break;
        yield return Invariant($"  round   {round.Number}, since {Time(round.StartedAt)}, until {Time(round.Deadline)}: ")
            + Invariant($"{round.Reported.Count} of {round.Participants.Count} reported, {round.Quorum} close it");
        if (round.Reported.Count > 0)
            yield return $"          reported: {string.Join(", ", round.Reported)}";
        if (round.Participants.Except(round.Reported).ToArray() is { Length: > 0 } awaited)
            yield return $"          awaited:  {string.Join(", ", awaited)}";
    }

    private static string Words(SteeringStatus steering) => OneLine(
        $"by {steering.Actor}{(steering.Until is { } until ? $" until {Time(until)}" : "")}"
            + (steering.Reason.Length > 0 ? $": {steering.Reason}" : ""));

    private static string Time(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    /// <summary>Nothing that a terminal would obey.</summary>
    private static string OneLine(string text) => string.Concat(text.Select(character => char.IsControl(character) ? ' ' : character));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
