using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using Microsoft.AspNetCore.Mvc;

namespace FedKSeed.RoundService.Api;

/// <summary>The addresses of the API, each with who may use it.</summary>
internal static class ApiEndpoints
{
    public static void MapApi(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseStatusCodePages();
        app.UseAuthentication();
        // After who asks is known, and before what may be done.
        app.UseRateLimiter();
        app.UseAuthorization();
        app.MapMetrics().RequireAuthorization(ApiPolicies.Read);
        app.MapOpenApi("/api/openapi.json").RequireAuthorization(ApiPolicies.Read);
        var federations = app.MapGroup("/api/federations");
        var readers = federations.MapGroup("").RequireAuthorization(ApiPolicies.Read);
        MapFederations(readers);
        MapLogs(readers);
        var operators = federations.MapGroup("").RequireAuthorization(ApiPolicies.Steer);
        MapSteering(operators);
        MapClients(operators);
    }

    private static void MapFederations(RouteGroupBuilder readers)
    {
        readers.MapGet("", (FederationReader reader, CancellationToken cancel) => reader.AllAsync(cancel))
            .WithName("ListFederations")
            .WithSummary("Every federation of the store, by name. One whose log is broken has a fault, and the others are none the worse.");
        readers.MapGet("/{name}", (string name, FederationReader reader, CancellationToken cancel) => reader.DetailAsync(name, cancel))
            .WithName("ShowFederation").WithSummary("A federation: settings, open round, who paused it, evaluations.")
            .ProducesProblem(StatusCodes.Status404NotFound);
        readers.MapGet("/{name}/clients", (string name, FederationReader reader, CancellationToken cancel) =>
                reader.ClientsAsync(name, cancel))
            .WithName("ListClients").WithSummary("Every client that was ever assigned, is alive, or is barred.")
            .ProducesProblem(StatusCodes.Status404NotFound);
        readers.MapGet("/{name}/versions", (string name, FederationReader reader, CancellationToken cancel) =>
                reader.VersionsAsync(name, cancel))
            .WithName("ListVersions").WithSummary("Every version, version 0 first.").ProducesProblem(StatusCodes.Status404NotFound);
        readers.MapGet("/{name}/evaluations", async (string name, FederationReader reader, CancellationToken cancel) =>
                (await reader.DetailAsync(name, cancel)).Evaluations)
            .WithName("ListEvaluations").WithSummary("Every evaluation on held-out data, by version.")
            .ProducesProblem(StatusCodes.Status404NotFound);
        readers.MapGet("/{name}/model", async (string name, int? version, FederationReader reader, CancellationToken cancel) =>
                await reader.ModelAsync(name, cancel) is var model && version is { } wanted && wanted != model.Version
                    ? (IResult)Problems.Conflict(
                        $"Version {wanted} is not the present one, {model.Version}: rebuild it from the log (log/export; fedkseed replay).")
                    : TypedResults.Ok(model))
            .WithName("GetModel").WithSummary("The present version, as accumulators.").Produces<ModelAccumulators>()
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
    }

    private static void MapLogs(RouteGroupBuilder readers)
    {
        readers.MapGet("/{name}/log", async (
                string name, [AsParameters] LogQuery query, LogReader reader, CancellationToken cancel) =>
                query.Faults().ToArray() is { Length: > 0 } faults
                    ? (IResult)Problems.Of(StatusCodes.Status400BadRequest, string.Join(" ", faults), faults)
                    : TypedResults.Ok(await reader.PageAsync(name, query, cancel)))
            .WithName("ReadLog")
            .WithSummary("A page of the log, filtered. A page may end early: go on from \"next\" until that is \"length\".")
            .Produces<LogPage>().ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound);
        readers.MapGet("/{name}/log/export", async (string name, FederationBooks books, CancellationToken cancel) =>
            {
                var book = await books.OfAsync(name, cancel);
                return TypedResults.Stream(
                    stream => LogReader.ExportAsync(book, stream, cancel), "application/x-ndjson", $"{name}.events.log");
            })
            .WithName("ExportLog").WithSummary("The whole log, line for line as it is stored: what verify and replay read.")
            .Produces(StatusCodes.Status200OK, contentType: "application/x-ndjson").ProducesProblem(StatusCodes.Status404NotFound);
        readers.MapGet("/{name}/log/live", async (
                string name, long? from, [FromHeader(Name = "Last-Event-ID")] long? lastEventId, FederationRegistry registry,
                LogReader reader, HttpContext context, CancellationToken cancel) =>
            {
                if (from < 0 || lastEventId < 0)
                    return Problems.Wrong("from and Last-Event-ID must be at least 0.");
                if (await registry.FindAsync(name, cancel) is not { } federation)
                    throw new NoSuchFederationException(name);
                await reader.StreamAsync(federation, lastEventId is { } last ? last + 1 : from ?? 0, context);
                return (IResult)TypedResults.Empty;
            })
            .WithName("FollowLog").RequireRateLimiting(ApiLimits.Streams)
            .WithSummary(
                "Server-sent events: each entry from \"from\", or after Last-Event-ID, with its sequence as id and its line as data; then "
                    + "\"event: closed\" when the federation is closed, \"event: removed\" when it is gone.")
            .Produces<string>(StatusCodes.Status200OK, "text/event-stream").ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static void MapSteering(RouteGroupBuilder operators)
    {
        operators.MapPost("", (OpenRequest request, HttpContext context, Steering steering, CancellationToken cancel) =>
                steering.OpenAsync(request, ActorOf(context), cancel))
            .WithName("OpenFederation").WithSummary("Opens a federation. 200 when it is open with the same settings already.")
            .Steers().Produces<FederationDetail>(StatusCodes.Status201Created).ProducesProblem(StatusCodes.Status400BadRequest);
        operators.MapPost("/{name}/pause", (
                string name, SteeringRequest? request, HttpContext context, Steering steering, CancellationToken cancel) =>
            {
                var (actor, reason) = (ActorOf(context), request?.Reason ?? "");
                return steering.SteerAsync(
                    name, actor, reason, new PauseFederation { Federation = name, Actor = actor, Reason = reason },
                    (state, _) => FederationDecisions.Pause(state, reason, actor), cancel);
            })
            .WithName("PauseFederation").WithSummary("No new round starts until it is resumed; the open one closes as it would have.")
            .SteersOne();
        operators.MapPost("/{name}/resume", (string name, HttpContext context, Steering steering, CancellationToken cancel) =>
            {
                var actor = ActorOf(context);
                return steering.SteerAsync(
                    name, actor, "", new ResumeFederation { Federation = name, Actor = actor },
                    (state, _) => FederationDecisions.Resume(state, actor), cancel);
            })
            .WithName("ResumeFederation").WithSummary("Lets a paused federation go on.").SteersOne();
        operators.MapPost("/{name}/close", (
                string name, SteeringRequest? request, HttpContext context, Steering steering, CancellationToken cancel) =>
            {
                var (actor, reason) = (ActorOf(context), request?.Reason ?? "");
                if (SteeringWords.Fault(actor, reason) is { } fault)
                    return Task.FromResult<IResult>(Problems.Wrong(fault));
                return steering.SteerAsync(
                    name, actor, reason,
                    new CloseFederation { Federation = name, Reason = nameof(FederationEnd.Stopped), Actor = actor, Why = reason },
                    (state, now) => FederationDecisions.Stop(state, actor, [], now, reason), cancel, stops: true);
            })
            .WithName("CloseFederation").WithSummary("Ends it with the version that its settings keep.")
            .SteersOne();
        operators.MapDelete("/{name}", (string name, HttpContext context, Steering steering, CancellationToken cancel) =>
                steering.RemoveAsync(name, ActorOf(context), cancel))
            .WithName("RemoveFederation").WithSummary("Deletes all that the store holds of a closed federation, its log included.")
            .Produces(StatusCodes.Status204NoContent).Produces(StatusCodes.Status202Accepted)
            .ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
    }

    private static void MapClients(RouteGroupBuilder operators)
    {
        operators.MapPost("/{name}/clients/{client}/exclude", (
                string name, string client, SteeringRequest? request, HttpContext context, Steering steering, TimeProvider time,
                CancellationToken cancel) =>
            {
                var (actor, reason, until) = (ActorOf(context), request?.Reason ?? "", request?.Until);
                if (until <= time.GetUtcNow())
                    return Task.FromResult<IResult>(Problems.Wrong("Until is past: that would exclude nobody."));
                return steering.SteerAsync(
                    name, actor, reason,
                    new BarClient { Federation = name, Client = client, Actor = actor, Reason = reason, Until = until },
                    (state, now) => FederationDecisions.Bar(state, client, reason, actor, until, now), cancel);
            })
            .WithName("ExcludeClient").WithSummary("Bars a client: no assignments, and its reports count no more, until then or for good.")
            .SteersOne();
        operators.MapPost("/{name}/clients/{client}/readmit", (
                string name, string client, SteeringRequest? request, HttpContext context, Steering steering, CancellationToken cancel) =>
            {
                var (actor, reason) = (ActorOf(context), request?.Reason ?? "");
                return steering.SteerAsync(
                    name, actor, reason, new ReadmitClient { Federation = name, Client = client, Actor = actor, Reason = reason },
                    (state, now) => FederationDecisions.Readmit(state, client, reason, actor, now), cancel);
            })
            .WithName("ReadmitClient").WithSummary("Lets a barred client take part again.").SteersOne();
    }

    private static string ActorOf(HttpContext context) => context.User.Identity?.Name ?? "";

    /// <summary>What every act of steering may answer.</summary>
    private static RouteHandlerBuilder Steers(this RouteHandlerBuilder endpoint) => endpoint
        .Produces<FederationDetail>().Produces<FederationDetail>(StatusCodes.Status202Accepted)
        .ProducesProblem(StatusCodes.Status409Conflict).ProducesProblem(StatusCodes.Status413PayloadTooLarge)
        .ProducesProblem(StatusCodes.Status503ServiceUnavailable);

    private static RouteHandlerBuilder SteersOne(this RouteHandlerBuilder endpoint) => endpoint.Steers()
        .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound);
}
