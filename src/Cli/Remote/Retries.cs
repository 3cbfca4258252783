using System.Net;
using Polly;
using Polly.Retry;

namespace FedKSeed.Cli.Remote;

/// <summary>What of the API is asked again, and when.</summary>
internal static class Retries
{
    private const int Most = 4;

    /// <summary>For one answer, or for the beginning of one that goes on.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200), Longest = TimeSpan.FromSeconds(15);

    /// <summary>A read changes nothing: it is asked again where nobody answers, or somebody who is not ready.</summary>
    public static ResiliencePipeline<HttpResponseMessage> OfReads { get; } = Of(outcome => outcome switch
    {
        { Exception: HttpRequestException fault } => fault.HttpRequestError != HttpRequestError.SecureConnectionError,
        { Result.StatusCode: HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout } => true,
        _ => IsTooMuch(outcome),
    });

    /// <summary>
    /// An act of which nobody knows whether it happened is a person's to repeat. One that was too much at once did not happen.
    /// </summary>
    public static ResiliencePipeline<HttpResponseMessage> OfActs { get; } = Of(IsTooMuch);

    private static bool IsTooMuch(Outcome<HttpResponseMessage> outcome) =>
        outcome.Result?.StatusCode == HttpStatusCode.TooManyRequests;

    private static ResiliencePipeline<HttpResponseMessage> Of(Func<Outcome<HttpResponseMessage>, bool> isAgain) =>
        new ResiliencePipelineBuilder<HttpResponseMessage>()
            .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
            {
                ShouldHandle = attempt => ValueTask.FromResult(isAgain(attempt.Outcome)),
                MaxRetryAttempts = Most,
                BackoffType = DelayBackoffType.Exponential,
                Delay = First,
                UseJitter = true,
                DelayGenerator = attempt => ValueTask.FromResult(WaitOf(attempt.Outcome.Result)),
            })
            .AddTimeout(Patience)
            .Build();

    /// <summary>What the server asks for, within what a person waits; null for the usual.</summary>
    private static TimeSpan? WaitOf(HttpResponseMessage? answer) =>
        answer?.Headers.RetryAfter?.Delta is { } wait ? wait < Longest ? wait : Longest : null;
}
