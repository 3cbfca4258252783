using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace FedKSeed.Operations;

/// <summary>
/// Traces and metrics of a service, exported by OTLP to where OTEL_EXPORTER_OTLP_ENDPOINT says; without it, and without
/// <see cref="AddScraping"/>, nothing is collected.
/// </summary>
public static class Telemetry
{
    /// <summary>Name of the meter and of the activity source of all services.</summary>
    public const string Name = "FedKSeed";

    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    // MassTransit's own source and meter: every message sent and worked off, with the trace that it belongs to in its headers.
    private const string Bus = "MassTransit";

    private static readonly string[] Meters = [Name, Bus, "System.Runtime"];

    public static IHostApplicationBuilder AddTelemetry(this IHostApplicationBuilder builder, string service)
    {
        ArgumentNullException.ThrowIfNull(builder);
        if (string.IsNullOrEmpty(builder.Configuration[Endpoint]))
            return builder;
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(service))
            .WithTracing(traces => traces.AddSource(Name, Bus).AddOtlpExporter())
            .WithMetrics(metrics => metrics.AddMeter(Meters).AddOtlpExporter());
        return builder;
    }

    /// <summary>Metrics for whoever comes for them, whether or not they are exported too: <see cref="MapMetrics"/>.</summary>
    public static IHostApplicationBuilder AddScraping(this IHostApplicationBuilder builder, string service)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService(service))
            .WithMetrics(metrics => metrics.AddMeter(Meters).AddPrometheusExporter());
        return builder;
    }

    /// <summary>GET /metrics: every instrument of this process in Prometheus's text format.</summary>
    public static IEndpointConventionBuilder MapMetrics(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapPrometheusScrapingEndpoint("/metrics");
}

/// <summary>
/// A round is one trace, from its start to its commit and across all services. Its id follows from the federation and the round, so that
/// whatever is said of the round by a restarted service belongs to the same one.
/// </summary>
public static class RoundTrace
{
    private static readonly ActivitySource Source = new(Telemetry.Name);

    /// <summary>
    /// Starts a part of a round's trace; null when nobody listens. Messages that are sent until it is disposed carry the trace.
    /// </summary>
    public static Activity? Start(string federation, int round, string part)
    {
        var digest = SHA256.HashData(Encoding.UTF8.GetBytes($"fedkseed/trace/1:{federation}:{round}"));
        var context = new ActivityContext(
            ActivityTraceId.CreateFromBytes(digest.AsSpan(0, 16)), ActivitySpanId.CreateFromBytes(digest.AsSpan(16, 8)),
            ActivityTraceFlags.Recorded, isRemote: true);
        var activity = Source.StartActivity($"round {part}", ActivityKind.Internal, context);
        activity?.SetTag("fedkseed.federation", federation).SetTag("fedkseed.round", round);
        return activity;
    }
}
