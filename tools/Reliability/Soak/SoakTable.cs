using System.Text;

namespace FedKSeed.Reliability.Soak;

/// <summary>A soak as tables for people.</summary>
internal static class SoakTable
{
    /// <summary>Memory that would grow by more than this share of itself in an hour is not flat.</summary>
    public const double FlatPerHour = 0.10;

    public static bool IsFlat(Series memory, TimeSpan since) => memory.SlopePerHour(since) <= FlatPerHour * memory.Median(since);

    /// <summary>Whether memory is flat, and queues and connections are no more than at the start.</summary>
    public static bool Holds(SoakReport report) =>
        report.Measures.Services.All(memory => IsFlat(memory, report.WarmUp))
        && report.After.Queues <= report.Before.Queues && report.After.Connections <= report.Before.Connections;

    public static async Task<string> OfAsync(SoakReport report, string command, TimeProvider time)
    {
        var (text, measures, warmUp) = (new StringBuilder(), report.Measures, report.WarmUp);
        text.AppendLine(
            $"{Surroundings.Machine(time)}. {await Surroundings.VersionsAsync()}. `{command}`: {report.Duration.TotalMinutes:F0} minutes.");
        text.AppendLine();
        text.AppendLine("| | |");
        text.AppendLine("|---|---:|");
        Row("faults", report.Strikes.Count);
        Row("rounds committed", report.Rounds);
        Row("log entries", report.Entries);
        Row("reports announced as accepted", report.Accepted);
        Row("of them lost", report.Lost);
        Row("reports applied", report.Committed);
        Row("of them twice", report.Doubled);
        Row("acceptances announced again (repeats recognised)", report.Repeats);
        Row("messages delivered again, late and in another order", report.Copies);
        Row("processes that ended unasked, and were started again", report.OwnEnds.Count);
        text.AppendLine();
        text.AppendLine("| fault | times | round ended, s after its cause was gone: median | max |");
        text.AppendLine("|---|---:|---:|---:|");
        foreach (var kind in report.Strikes.GroupBy(strike => strike.Fault.Name).OrderBy(kind => kind.Key, StringComparer.Ordinal))
        {
            var ended = kind.Select(strike => strike.RoundEnded.TotalSeconds).Order().ToArray();
            text.AppendLine($"| {kind.Key} | {ended.Length} | {ended[ended.Length / 2]:F1} | {ended[^1]:F1} |");
        }
        text.AppendLine();
        text.AppendLine($"Resident memory of the processes that lived through all of it, from minute {warmUp.TotalMinutes:F0} on. Flat: "
            + "the median of the slopes "
            + $"between all pairs of samples (Theil–Sen) is at most {FlatPerHour:P0} of the median in an hour.");
        text.AppendLine();
        text.AppendLine("| process | median, MiB | most, MiB | slope, MiB an hour | |");
        text.AppendLine("|---|---:|---:|---:|---|");
        foreach (var memory in measures.Services)
            text.AppendLine($"{Memory(memory, warmUp)} {(IsFlat(memory, warmUp) ? "flat" : "**grows**")} |");
        foreach (var memory in new[] { measures.Broker, measures.Redis })
            text.AppendLine($"{Memory(memory, warmUp)} killed now and then: not judged |");
        text.AppendLine();
        text.AppendLine("| | before the first fault | after the last | most in between |");
        text.AppendLine("|---|---:|---:|---:|");
        text.AppendLine($"| queues | {report.Before.Queues} | {report.After.Queues} | {measures.Queues.Most(TimeSpan.Zero):F0} |");
        text.AppendLine(
            $"| messages in them | {report.Before.Messages} | {report.After.Messages} | {measures.Messages.Most(TimeSpan.Zero):F0} |");
        text.AppendLine($"| connections to the broker | {report.Before.Connections} | {report.After.Connections} | |");
        text.AppendLine($"| connections through the proxies, half-open ones included | {measures.Connections.Samples[0].Value:F0} | "
            + $"{measures.Connections.Samples[^1].Value:F0} | {measures.Connections.Most(TimeSpan.Zero):F0} |");
        return text.ToString();

        void Row(string what, long figure) => text.AppendLine($"| {what} | {figure:N0} |");
    }

    private static string Memory(Series memory, TimeSpan since) =>
        $"| {memory.Name} | {memory.Median(since):F0} | {memory.Most(since):F0} | {memory.SlopePerHour(since):+0.0;-0.0;0} |";
}
