using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>Healthy when Redis answers, and the head of the log can be read and follows from the entries before it.</summary>
public sealed class LogHealthCheck(FederationBook book, IOptions<RedisOptions> options) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await book.Log.PingAsync(cancellationToken);
        }
        catch (Exception fault) when (fault is RedisException or TimeoutException)
        {
            return HealthCheckResult.Unhealthy(RedisRefusal.Of(fault, options.Value.Connection) ?? "Redis does not answer", fault);
        }
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
