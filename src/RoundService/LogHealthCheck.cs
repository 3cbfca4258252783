using FedKSeed.LogStore;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace FedKSeed.RoundService;

/// <summary>Healthy when the head of the log can be read and follows from the entries before it.</summary>
public sealed class LogHealthCheck(FederationBook book) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var state = await book.RefreshAsync(cancellationToken);
            return HealthCheckResult.Healthy($"{state.Head.Length} entries");
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            return HealthCheckResult.Unhealthy("the log is not readable", fault);
        }
    }
}
