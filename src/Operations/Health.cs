using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace FedKSeed.Operations;

/// <summary>Section "Health", of services that serve nothing else.</summary>
public sealed class HealthOptions
{
    /// <summary>Where health is served: http://+:8080, http://127.0.0.1:8081. Nowhere when absent.</summary>
    public string? Url { get; set; }
}

public static class Health
{
    /// <summary>Checks with this tag decide whether a service is ready.</summary>
    public const string ReadyTag = "ready";

    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(2);

    /// <summary>Alive: the process answers. Ready: the bus is connected, and all else that it needs is there.</summary>
    public static void MapHealth(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        endpoints.MapHealthChecks("/health/live", new HealthCheckOptions { Predicate = _ => false });
        endpoints.MapHealthChecks("/health/ready", new HealthCheckOptions
        {
            Predicate = check => check.Tags.Contains(ReadyTag),
            // A bus of which some queues cannot be read calls itself degraded.
            ResultStatusCodes =
            {
                [HealthStatus.Healthy] = StatusCodes.Status200OK,
                [HealthStatus.Degraded] = StatusCodes.Status503ServiceUnavailable,
                [HealthStatus.Unhealthy] = StatusCodes.Status503ServiceUnavailable,
            },
        });
    }

    /// <summary>Looks at its own readiness and says so, whether anybody asks or not: see <see cref="Readiness"/>.</summary>
    public static IHostApplicationBuilder AddReadiness(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddMetrics();
        builder.Services.AddHealthChecks();
        builder.Services.AddSingleton<IHealthCheckPublisher, Readiness>();
        builder.Services.Configure<HealthCheckPublisherOptions>(options =>
        {
            (options.Delay, options.Period) = (LookInterval, LookInterval);
            options.Predicate = check => check.Tags.Contains(ReadyTag);
        });
        return builder;
    }

    /// <summary>Health of a service without a web server of its own. Call it first: it then answers while the rest still starts.</summary>
    public static IHostApplicationBuilder AddHealthEndpoint(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddHealthChecks();
        if (builder.Configuration.GetSection("Health").Get<HealthOptions>()?.Url is { Length: > 0 } url)
            builder.Services.AddHostedService(services => new HealthEndpoint(url, services.GetRequiredService<HealthCheckService>()));
        return builder;
    }

    /// <summary>The smallest web server that serves the health of another host.</summary>
    private sealed class HealthEndpoint(string url, HealthCheckService checks) : IHostedService
    {
        private WebApplication? _server;

        public Task StartAsync(CancellationToken cancellationToken)
        {
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
            builder.WebHost.UseKestrelCore().UseUrls(url);
            builder.Services.AddRoutingCore();
            builder.Services.AddSingleton(checks);
            _server = builder.Build();
            _server.UseRouting();
            _server.MapHealth();
            return _server.StartAsync(cancellationToken);
        }

        public async Task StopAsync(CancellationToken cancellationToken)
        {
            if (_server is null)
                return;
            await _server.StopAsync(cancellationToken);
            await _server.DisposeAsync();
        }
    }
}
