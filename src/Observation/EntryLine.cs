using System.Globalization;
using FedKSeed.Federation.Log;

namespace FedKSeed.Observation;

/// <summary>An entry of a log as a line for people: its place, its time, what happened. Pure.</summary>
public static class EntryLine
{
    // Enough to tell one base model from another.
    private const int ShownDigits = 12;

    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

    public static string Of(LogEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        return string.Create(
            Plain,
            $"{entry.Sequence,7}  {entry.Time.UtcDateTime:yyyy-MM-dd HH:mm:ss}  {KindOf(entry.Event),-17}  {What(entry.Event)}");
    }

    /// <summary>What happened, as the log's JSON names it.</summary>
    public static string KindOf(LogEvent happened)
    {
        ArgumentNullException.ThrowIfNull(happened);
        var name = happened.GetType().Name;
        return name[..name.LastIndexOf("Entry", StringComparison.Ordinal)];
    }

    private static string What(LogEvent happened) => happened switch
    {
        FederationOpenedEntry opened => string.Create(
            Plain,
            $"{opened.Settings.Name}: {opened.Settings.Rounds} rounds of {opened.Settings.StepsPerRound} steps, "
                + $"K {opened.Settings.Directions.SeedCount}, {opened.Settings.Directions.Scheme}, "
                + $"base {opened.Settings.BaseModelDigest[..ShownDigits]}…, format {opened.Protocol}{By(opened.Actor)}"),
        RoundStartedEntry started => string.Create(Plain, $"round {started.Round}: {started.Participants.Count} clients"),
        SeedsAssignedEntry assigned => string.Create(
            Plain, $"{assigned.Key}: on version {assigned.BaseVersion}, η {assigned.LearningRate:0.###e+0}"),
        ScalarsReportedEntry reported => string.Create(
            Plain,
            $"{reported.Key}: {reported.Scalars.Length} scalars, {reported.Skipped?.Count ?? 0} steps skipped, "
                + $"{reported.Examples} examples, on version {reported.BaseVersion}"),
        RoundCommittedEntry committed => string.Create(
            Plain,
            $"round {committed.Round}: version {committed.Version} of {committed.Reports.Count} reports, closed by {committed.Closed}"),
        ModelEvaluatedEntry evaluated => string.Create(
            Plain,
            $"version {evaluated.Version}: loss {Quantity.Loss(evaluated.Loss)}, exact match {Quantity.Share(evaluated.ExactMatch)}, "
                + $"ROUGE-L {Quantity.Share(evaluated.RougeL)}, {evaluated.Examples} examples"),
        FederationClosedEntry closed => string.Create(
            Plain, $"{closed.Reason}: version {closed.Version} is kept{By(closed.Actor)}{Because(closed.Why ?? "")}"),
        FederationPausedEntry paused => $"no new round until it is resumed{By(paused.Actor)}{Because(paused.Reason)}",
        FederationResumedEntry resumed => $"rounds go on{By(resumed.Actor)}",
        ClientBarredEntry barred => string.Create(
            Plain,
            $"{barred.Client}: nothing of it counts until {(barred.Until is { } until
                ? until.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", Plain)
                : "it is readmitted")}{By(barred.Actor)}{Because(barred.Reason)}"),
        ClientReadmittedEntry readmitted =>
            $"{readmitted.Client}: it takes part again{By(readmitted.Actor)}{Because(readmitted.Reason)}",
        _ => "",
    };

    private static string By(string? actor) => actor is null ? "" : $", by {actor}";

    private static string Because(string reason) => reason.Length == 0 ? "" : $": {reason}";
}
