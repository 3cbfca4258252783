using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>
/// Healthy when Redis answers. Of a federation whose log is broken the clock speaks: the others are none the worse for it.
/// </summary>
public sealed class LogHealthCheck(FederationRegistry registry, IConnectionMultiplexer redis, IOptions<RedisOptions> options) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await RedisOperation.RunAsync(() => redis.GetDatabase().PingAsync(), cancellationToken);
            var all = await registry.AllAsync(cancellationToken);
            return HealthCheckResult.Healthy($"{all.Count} federations, {all.Values.Count(known => !known.IsClosed)} of them open");
        }
        catch (Exception fault) when (fault is RedisException or TimeoutException)
        {
            return HealthCheckResult.Unhealthy(RedisRefusal.Of(fault, options.Value.Connection) ?? "Redis does not answer", fault);
        }
    }
}
