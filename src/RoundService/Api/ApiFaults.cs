using FedKSeed.Bus;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.HttpResults;

namespace FedKSeed.RoundService.Api;

/// <summary>What the API refuses, as application/problem+json.</summary>
internal static class Problems
{
    /// <summary>What the framework refuses by itself.</summary>
    public static void Describe(ProblemDetailsOptions options) => options.CustomizeProblemDetails = context =>
        context.ProblemDetails.Detail ??= context.ProblemDetails.Status switch
        {
            StatusCodes.Status404NotFound => "There is nothing at this address: GET /api/openapi.json names all that there are.",
            StatusCodes.Status405MethodNotAllowed => "This address takes other methods: GET /api/openapi.json names them.",
            StatusCodes.Status413PayloadTooLarge => $"A body has at most {ApiLimits.Body >> 10} KiB.",
            StatusCodes.Status415UnsupportedMediaType => "A body is application/json.",
            _ => null,
        };

    /// <param name="faults">All that is wrong, where it may be several things.</param>
    public static ProblemHttpResult Of(int status, string detail, IReadOnlyList<string>? faults = null) => TypedResults.Problem(
        detail, statusCode: status,
        extensions: faults is null ? null : new Dictionary<string, object?>(StringComparer.Ordinal) { ["faults"] = faults });

    public static ProblemHttpResult Wrong(string detail) => Of(StatusCodes.Status400BadRequest, detail);

    public static ProblemHttpResult Conflict(string detail) => Of(StatusCodes.Status409Conflict, detail);
}

/// <summary>Faults below an endpoint, as what whoever asked can do about them; never with a stack.</summary>
internal sealed partial class ApiFaults(ILogger<ApiFaults> log) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (httpContext.RequestAborted.IsCancellationRequested)
            return true;
        var problem = ProblemOf(exception);
        if (problem.StatusCode == StatusCodes.Status500InternalServerError && exception is not InvalidEntryException)
            Failed(exception, httpContext.Request.Method, httpContext.Request.Path);
        await problem.ExecuteAsync(httpContext);
        return true;
    }

    private static ProblemHttpResult ProblemOf(Exception fault) => fault switch
    {
        NoSuchFederationException none => Problems.Of(StatusCodes.Status404NotFound, Sentence(none.Message)),
        BadHttpRequestException wrong => Problems.Of(
            wrong.StatusCode, wrong.InnerException is { } inner ? $"{wrong.Message} {inner.Message}" : wrong.Message),
        InvalidEntryException broken => Problems.Of(
            StatusCodes.Status500InternalServerError, $"The log of this federation is broken. {broken.Message}"),
        _ when LogStoreRegistration.IsStoreAway(fault) => Problems.Of(
            StatusCodes.Status503ServiceUnavailable, $"The store is away: {LogStoreRegistration.WhyAway(fault)}. Try again later."),
        _ when FederationBus.IsBusAway(fault) => Problems.Of(
            StatusCodes.Status503ServiceUnavailable,
            $"The broker, or SeedService, is away: {fault.Message} What was asked for may happen all the same: look, then try again."),
        _ => Problems.Of(
            StatusCodes.Status500InternalServerError, "Something went wrong that nobody foresaw; the service's log says what."),
    };

    private static string Sentence(string words) => $"{char.ToUpperInvariant(words[0])}{words[1..]}.";

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private partial void Failed(Exception fault, string method, string path);
}
