using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.Options;

namespace FedKSeed.RoundService.Api;

/// <summary>Section "Api".</summary>
public sealed class ApiOptions
{
    /// <summary>
    /// Whoever reaches the API may read and steer without a token, as "anonymous". Only where every address that the service listens on is
    /// of the loopback interface: anything else ends it at its start.
    /// </summary>
    public bool Anonymous { get; set; }
}

/// <summary>Ends the service at its start where everybody would be let in from everywhere.</summary>
internal sealed class AnonymousOnLoopback(IServer server, IOptions<ApiOptions> options) : IHostedLifecycleService
{
    public const string Refusal =
        "Api:Anonymous lets everybody in, and this service listens beyond loopback: listen on http://127.0.0.1:PORT alone "
            + "(ASPNETCORE_URLS), or give out tokens (fedkseed token new).";

    /// <summary>Addresses beyond loopback that the service is told to listen on.</summary>
    public static IReadOnlyList<string> Others(IConfiguration configuration) => Others(
        configuration[WebHostDefaults.ServerUrlsKey]?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>
    /// Only now is it known where the server listens, however it was told; until then, <see cref="Loopback.IsWithin"/> keeps strangers out.
    /// </summary>
    public Task StartedAsync(CancellationToken cancellationToken) =>
        options.Value.Anonymous && Others(server.Features.Get<IServerAddressesFeature>()?.Addresses).Length > 0
            ? throw new OptionsValidationException("Api", typeof(ApiOptions), [Refusal])
            : Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static string[] Others(IEnumerable<string>? addresses) => [.. (addresses ?? []).Where(address => !Loopback.Is(address))];
}

/// <summary>What is on this machine alone.</summary>
internal static class Loopback
{
    /// <param name="address">http://127.0.0.1:8080, http://+:8080.</param>
    public static bool Is(string address) => Uri.TryCreate(address, UriKind.Absolute, out var uri) && IsHost(uri.Host);

    /// <summary>
    /// Whether a request stays on this machine, and no page of another site made a browser send it: such a page has an origin of its own,
    /// or a name of its own that it had pointed here.
    /// </summary>
    public static bool IsWithin(HttpContext context) =>
        context.Connection is { LocalIpAddress: { } local, RemoteIpAddress: { } remote } && IPAddress.IsLoopback(local)
            && IPAddress.IsLoopback(remote) && IsHost(context.Request.Host.Host)
            && context.Request.Headers.Origin is var origin && (origin.Count == 0 || Is(origin.ToString()));

    private static bool IsHost(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
}
