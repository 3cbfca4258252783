using FedKSeed.Cli.Run;
using FedKSeed.Federation;

namespace FedKSeed.Cli.Report;

public static class HtmlReport
{
    public static string Of(IEnumerable<LogEntry> log, IReadOnlyList<VersionMetrics> metrics, RunSummary summary) => "";
}
