using System.Text;

namespace FedKSeed.Reliability;

/// <summary>Campaigns as a table for people.</summary>
internal static class KillsTable
{
    public static async Task<string> OfAsync(IReadOnlyList<CampaignReport> reports, int seed, int commitEvery, TimeProvider time)
    {
        var text = new StringBuilder();
        var faults = reports.SelectMany(report => report.Faults).ToArray();
        var minutes = reports.Sum(report => report.Duration.TotalMinutes);
        text.AppendLine($"{Surroundings.Machine(time)}. {await Surroundings.VersionsAsync()}. `kills --count "
            + $"{reports.Sum(report => report.Kills)} --seed {seed}{(commitEvery == 0 ? "" : $" --commit-every {commitEvery}")}`: "
            + $"{reports.Count} federation{(reports.Count == 1 ? "" : "s")}, {minutes:F0} minutes.");
        text.AppendLine();
        text.AppendLine("| fault | times | round ended, s: median | p95 | max | process or server ready again, s: median | p95 | max |");
        text.AppendLine("|---|---|---|---|---|---|---|---|");
        foreach (var kind in faults.GroupBy(fault => fault.Kind).OrderBy(kind => kind.Key))
        {
            text.Append($"| {InWords(kind.Key)} | {kind.Count()} | {Percentiles([.. kind.Select(fault => fault.RoundEnded)])} | ");
            text.AppendLine($"{Percentiles([.. kind.Where(fault => fault.Ready is not null).Select(fault => fault.Ready!.Value)])} |");
        }
        text.AppendLine();
        text.AppendLine("| over all federations | |");
        text.AppendLine("|---|---|");
        Row("processes killed", reports.Sum(report => report.Kills));
        Row("other faults", faults.Length - reports.Sum(report => report.Kills));
        Row("messages delivered again, late and in another order", reports.Sum(report => report.Copies));
        Row("rounds committed", reports.Sum(report => report.Rounds));
        Row("log entries", reports.Sum(report => report.Entries));
        Row("reports announced as accepted", reports.Sum(report => report.Accepted));
        Row("of them lost", reports.Sum(report => report.Lost));
        Row("reports applied", reports.Sum(report => report.Committed));
        Row("of them twice", reports.Sum(report => report.Doubled));
        Row("acceptances announced again (repeats recognised)", reports.Sum(report => report.Repeats));
        Row("processes that ended unasked, and were started again", reports.Sum(report => report.OwnEnds.Count));
        text.AppendLine();
        text.AppendLine(reports.All(report => report.HadDiskOfItsOwn)
            ? "The full disk of Redis was a full tmpfs."
            : "No tmpfs could be mounted: instead of a full disk, Redis refused writes (`maxmemory`).");
        return text.ToString();

        void Row(string what, long figure) => text.AppendLine($"| {what} | {figure:N0} |");
    }

    private static string Percentiles(TimeSpan[] times)
    {
        if (times.Length == 0)
            return "| | ";
        Array.Sort(times);
        return string.Join(" | ", new[] { 0.5, 0.95, 1 }.Select(share => $"{At(share).TotalSeconds:F1}"));

        TimeSpan At(double share) => times[Math.Max(0, (int)Math.Ceiling(share * times.Length) - 1)];
    }

    private static string InWords(FaultKind kind) => kind switch
    {
        FaultKind.WorkerKilled => "worker killed",
        FaultKind.SeedServiceKilled => "SeedService killed",
        FaultKind.RoundServiceKilled => "RoundService killed",
        FaultKind.RedisKilled => "Redis killed, down for up to 1.5 s",
        FaultKind.BrokerKilled => "broker killed, down for up to 2 s",
        FaultKind.WorkerSuspended => "worker stopped for up to 3 s",
        FaultKind.WorkerHangsPastDeadline => "worker hangs past the deadline, 3 to 6 s",
        FaultKind.SeedServiceSuspended => "SeedService stopped for up to 3 s",
        FaultKind.RoundServiceSuspended => "RoundService stopped for up to 3 s",
        FaultKind.BrokerAppStopped => "`rabbitmqctl stop_app`, `start_app`",
        FaultKind.ConnectionsClosed => "`rabbitmqctl close_all_connections`",
        FaultKind.ClientsSilent => "30 to 40 % of the clients silent, three rounds in turn",
        FaultKind.RedisDiskFull => "disk of Redis full for up to 3 s",
        _ => kind.ToString(),
    };
}
