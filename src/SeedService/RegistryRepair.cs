using FedKSeed.LogStore;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FedKSeed.SeedService;

/// <summary>
/// Brings the registry and the logs of the store together, at the start and every hour: see <see cref="FederationRegistry"/>.
/// </summary>
public sealed partial class RegistryRepair(
    FederationRegistry registry, IOptions<RedisOptions> redis, TimeProvider time, ILogger<RegistryRepair> log) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1), WhileAway = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isAway = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                foreach (var done in await registry.RepairAsync(stoppingToken))
                    Repaired(done);
                isAway = false;
            }
            catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault))
            {
                RedisRefusal.RequireNone(fault, redis.Value.Connection);
                if (!isAway)
                    Away(LogStoreRegistration.WhyAway(fault));
                isAway = true;
            }
            await Task.Delay(isAway ? WhileAway : Interval, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Registry: {What}")]
    private partial void Repaired(string what);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Federations are looked for when Redis answers: {Reason}")]
    private partial void Away(string reason);
}
