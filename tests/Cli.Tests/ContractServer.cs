using System.Text.Json;
using System.Text.Json.Serialization;
using FedKSeed.Federation.Log;
using FedKSeed.RoundService.Api;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FedKSeed.Cli.Tests;

/// <summary>What was asked of the server.</summary>
internal sealed record Asked(string Method, string Path, string Query, string? Authorization, string Body);

/// <summary>
/// A server of the API's contracts on a real socket: what a test gives it is what it answers, and what it was asked is there to look at.
/// </summary>
internal sealed class ContractServer : IAsyncDisposable
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    private readonly Lock _lock = new();
    private readonly List<Asked> _asked = [];
    private readonly List<string> _lines;
    private WebApplication _app;

    private ContractServer(IEnumerable<string> lines) => (_lines, _app) = ([.. lines], null!);

    public string Address { get; private set; } = "http://127.0.0.1:0";

    /// <summary>Comes before what the contracts say; null for nothing.</summary>
    public Func<HttpContext, IResult?> Instead { get; set; } = _ => null;

    /// <summary>Of a page: so that reading a log takes several.</summary>
    public const int MostLines = 8;

    public IReadOnlyList<string> Reported { get; set; } = [];

    public IReadOnlyList<ClientStatus> Clients { get; set; } = [];

    public IReadOnlyList<Asked> Asked
    {
        get
        {
            lock (_lock)
                return [.. _asked];
        }
    }

    public static async Task<ContractServer> StartAsync(params IEnumerable<string> lines)
    {
        var server = new ContractServer(lines);
        await server.StartAsync();
        return server;
    }

    public void Add(params IEnumerable<string> lines)
    {
        lock (_lock)
            _lines.AddRange(lines);
    }

    /// <summary>Nobody answers until it is started again, at the same address.</summary>
    public async Task StopAsync()
    {
        await _app.StopAsync(new CancellationToken(canceled: true));
        await _app.DisposeAsync();
    }

    public async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls(Address);
        builder.Services.ConfigureHttpJsonOptions(options => options.SerializerOptions.Converters.Add(new JsonStringEnumConverter()));
        var app = _app = builder.Build();
        app.Use(async (context, next) =>
        {
            context.Request.EnableBuffering();
            using var body = new StreamReader(context.Request.Body, leaveOpen: true);
            var text = await body.ReadToEndAsync();
            context.Request.Body.Position = 0;
            lock (_lock)
                _asked.Add(new Asked(
                    context.Request.Method, context.Request.Path, context.Request.QueryString.ToString(),
                    context.Request.Headers.Authorization, text));
            if (Instead(context) is { } instead)
                await instead.ExecuteAsync(context);
            else
                await next(context);
        });
        Map(app);
        await app.StartAsync();
        Address = app.Urls.Single();
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private void Map(WebApplication app)
    {
        app.MapGet("/api/federations", () => new[] { Summary() });
        app.MapPost("/api/federations", () => Results.Json(Detail(), Json, statusCode: 201));
        var one = app.MapGroup("/api/federations/{name}");
        one.MapGet("", (string name) => name == State().Settings!.Name ? Results.Json(Detail(), Json) : NotFound(name));
        one.MapDelete("", () => Results.NoContent());
        one.MapGet("/clients", () => Results.Json(Clients, Json));
        one.MapPost("/{act}", () => Results.Json(Detail(), Json));
        one.MapPost("/clients/{client}/{act}", () => Results.Json(Detail(), Json));
        one.MapGet("/log", (long? from, int? limit, int? last) => Results.Json(Page(from, limit, last), Json));
        one.MapGet("/log/export", () => Results.Text(string.Concat(Lines().Select(line => line + "\n")), "application/x-ndjson"));
        one.MapGet("/log/live", StreamAsync);
    }

    private static IResult NotFound(string name) =>
        Results.Problem($"There is no federation '{name}' in the store.", statusCode: 404, title: "Not Found");

    private LogPage Page(long? from, int? limit, int? last)
    {
        var lines = Lines();
        var start = last is { } count ? Math.Max(0, lines.Length - count) : (int)Math.Min(from ?? 0, lines.Length);
        string[] page = [.. lines.Skip(start).Take(Math.Min(limit ?? MostLines, MostLines))];
        return new LogPage(page, start + page.Length, lines.Length);
    }

    private async Task StreamAsync(HttpContext context, long from)
    {
        context.Response.ContentType = "text/event-stream";
        await context.Response.StartAsync();
        for (var next = (int)from; !context.RequestAborted.IsCancellationRequested;)
        {
            var lines = Lines();
            for (; next < lines.Length; next++)
                await context.Response.WriteAsync($"id: {next}\ndata: {lines[next]}\n\n");
            if (State().Closed is not null)
            {
                await context.Response.WriteAsync("event: closed\ndata: {}\n\n");
                return;
            }
            await context.Response.Body.FlushAsync();
            await Task.Delay(20);
        }
    }

    private string[] Lines()
    {
        lock (_lock)
            return [.. _lines];
    }

    private Federation.FederationState State()
    {
        var state = new Federation.FederationState();
        foreach (var line in Lines())
            state = Federation.FederationFold.Apply(state, EventLog.Read(state.Head, line));
        return state;
    }

    private FederationSummary Summary()
    {
        var state = State();
        return new FederationSummary(
            state.Settings!.Name,
            state.Closed is not null ? FederationPhase.Closed : state.Paused is not null ? FederationPhase.Paused : FederationPhase.Open,
            state.Version, state.Settings.Rounds, state.Round?.Number, Clients.Count(client => client.IsAlive), DateTimeOffset.UnixEpoch,
            state.EvaluationOf(state.Version)?.Loss, state.Closed?.Reason.ToString());
    }

    private FederationDetail Detail()
    {
        var state = State();
        return new FederationDetail(
            Summary(), JsonSerializer.SerializeToElement(state.Settings, EventLog.Json), state.Head.Length, state.Head.Hash,
            state.Round is { } round
                ? new RoundStatus(
                    round.Number, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddMinutes(10), [.. round.Participants], Reported, 2)
                : null,
            state.Paused is { } paused ? new SteeringStatus(paused.Actor, paused.Reason) : null, state.KeptVersion,
            [.. state.Evaluations.Values]);
    }
}
