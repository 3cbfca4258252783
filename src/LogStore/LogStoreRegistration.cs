using System.ComponentModel.DataAnnotations;
using FedKSeed.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace FedKSeed.LogStore;

/// <summary>Section "Redis".</summary>
public sealed class RedisOptions
{
    /// <summary>StackExchange.Redis configuration: host:port,password=…,ssl=true.</summary>
    [Required, DataType(DataType.Password)]
    public string Connection { get; set; } = "localhost:6379";

    /// <summary>Whether the client library can read it; its own words might repeat a password.</summary>
    public static bool IsConfiguration(string connection)
    {
        try
        {
            return ConfigurationOptions.Parse(connection).EndPoints.Count > 0;
        }
        catch (Exception fault) when (fault is ArgumentException or FormatException)
        {
            return false;
        }
    }
}

public static class LogStoreRegistration
{
    /// <summary>Whether a fault says that Redis does not answer, or cannot do its work just now: the same may well succeed later.</summary>
    public static bool IsStoreAway(Exception fault) => fault is RedisException or TimeoutException;

    /// <summary>A fault of a store that is away, for a log: the library's own words are its queues and threads.</summary>
    public static string WhyAway(Exception fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        return fault is RedisException and not RedisServerException or RedisTimeoutException ? "Redis does not answer" : fault.Message;
    }

    /// <summary>The books of all federations on the Redis of section "Redis".</summary>
    public static IHostApplicationBuilder AddLogStore(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        // Services that share a process share the books.
        if (builder.Services.Any(service => service.ServiceType == typeof(FederationBooks)))
            return builder;
        builder.Services.AddOptions<RedisOptions>().BindConfiguration("Redis").ValidateDataAnnotations()
            .Validate(
                redis => RedisOptions.IsConfiguration(redis.Connection),
                "Redis:Connection must be like host:port,password=…,ssl=true: see StackExchange.Redis.")
            .ValidateOnStart();
        builder.Services.TryAddSingleton(TimeProvider.System);
        var isOurs = builder.Services.All(service => service.ServiceType != typeof(IConnectionMultiplexer));
        builder.Services.TryAddSingleton<IConnectionMultiplexer>(
            services => Connect(services.GetRequiredService<IOptions<RedisOptions>>().Value.Connection));
        builder.Services.AddSingleton<FederationRegistry>();
        builder.Services.AddSingleton<IServedFederations>(services => services.GetRequiredService<FederationRegistry>());
        builder.Services.AddSingleton<FederationBooks>();
        builder.Services.AddSingleton<ClockInstances>();
        builder.Services.AddSingleton<RedisPresences>();
        builder.Services.AddHostedService(services => new RedisLogin(
            services.GetRequiredService<IConnectionMultiplexer>(), services.GetRequiredService<IOptions<RedisOptions>>(), isOurs));
        builder.Services.AddHealthChecks().AddCheck<LogHealthCheck>("log", tags: ["ready"]);
        return builder;
    }

    /// <exception cref="OptionsValidationException">Redis refuses the user or its password.</exception>
    private static ConnectionMultiplexer Connect(string connection)
    {
        var once = ConfigurationOptions.Parse(connection);
        (once.AbortOnConnectFail, once.ConnectRetry) = (true, 1);
        try
        {
            // A connection that is tried until it holds says only after seconds, and as one that broke, that it is refused.
            ConnectionMultiplexer.Connect(once).Dispose();
        }
        catch (RedisException fault)
        {
            RedisRefusal.RequireNone(fault, connection);
        }
        var configuration = ConfigurationOptions.Parse(connection);
        configuration.Defaults = new RedisDefaults();
        return ConnectionMultiplexer.Connect(configuration);
    }

    /// <summary>What the configuration string does not say.</summary>
    private sealed class RedisDefaults : DefaultOptionsProvider
    {
        // A service may start before its Redis does.
        public override bool AbortOnConnectFail => false;

        // With nothing to do, a connection that only looks open is noticed too. One that answers nothing for four command timeouts, 20 s by
        // default, is given up: about as long as the bus takes.
        public override TimeSpan KeepAliveInterval => TimeSpan.FromSeconds(5);

        // The library's own waits up to a minute after a long outage.
        public override IReconnectRetryPolicy ReconnectRetryPolicy { get; } = new ExponentialRetry(200, 3000);
    }
}
