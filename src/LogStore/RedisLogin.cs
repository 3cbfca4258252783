using FedKSeed.Federation;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>
/// Asks once, before anything works with the book, whether Redis lets this process in. A Redis that is away is waited for by whoever needs
/// it.
/// </summary>
/// <param name="isOurs">Whether this process made the connection: it is this one's to close then.</param>
internal sealed class RedisLogin(IConnectionMultiplexer redis, IOptions<RedisOptions> options, bool isOurs)
    : IHostedService, IDisposable
{
    /// <exception cref="OptionsValidationException">Redis refuses the user, its password, or what it is to do.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            // Who is let in may still not be let at a log.
            var log = new RedisFederationLog(redis, new FederationSettings().Name);
            await log.PingAsync(cancellationToken);
            await log.ReadHashAsync(0, cancellationToken);
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault))
        {
            // Whoever needs one that is away waits for it, and the health check says so.
            RedisRefusal.RequireNone(fault, options.Value.Connection);
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// By then nobody waits for an answer. Left to itself the connection would wait seconds for a Redis that hangs to say goodbye.
    /// </summary>
    public void Dispose()
    {
        if (isOurs)
            redis.Close(allowCommandsToComplete: false);
    }
}
