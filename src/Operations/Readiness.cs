using System.Diagnostics.Metrics;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace FedKSeed.Operations;

/// <summary>
/// Says when a service ceases to be ready and when it is again: in its log, and as the instrument <c>fedkseed.ready</c>, 1 or 0 a check.
/// For whoever does not ask <c>/health/ready</c>.
/// </summary>
public sealed partial class Readiness : IHealthCheckPublisher
{
    private readonly ILogger<Readiness> _log;
    private volatile IReadOnlyDictionary<string, HealthReportEntry> _last = new Dictionary<string, HealthReportEntry>();

    public Readiness(IMeterFactory meters, ILogger<Readiness> log)
    {
        ArgumentNullException.ThrowIfNull(meters);
        _log = log;
        meters.Create(Telemetry.Name).CreateObservableGauge(
            "fedkseed.ready", Measure, "1", "Whether what this service needs is there, by check: 1 or 0.");
    }

    public Task PublishAsync(HealthReport report, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(report);
        foreach (var (check, now) in report.Entries)
        {
            var was = _last.TryGetValue(check, out var before) && !IsUp(before);
            if (!IsUp(now) && !was)
                Away(check, now.Description ?? now.Status.ToString());
            else if (IsUp(now) && was)
                Back(check);
        }
        _last = report.Entries;
        return Task.CompletedTask;
    }

    private IEnumerable<Measurement<int>> Measure() =>
        _last.Select(check => new Measurement<int>(IsUp(check.Value) ? 1 : 0, new KeyValuePair<string, object?>("check", check.Key)));

    private static bool IsUp(HealthReportEntry check) => check.Status == HealthStatus.Healthy;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not ready, {Check}: {Reason}")]
    private partial void Away(string check, string reason);

    // A log that shows warnings only shows the end of a trouble too.
    [LoggerMessage(Level = LogLevel.Warning, Message = "Ready again: {Check}")]
    private partial void Back(string check);
}
