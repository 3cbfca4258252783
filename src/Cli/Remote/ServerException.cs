using System.Net;

namespace FedKSeed.Cli.Remote;

/// <summary>The services did not do what they were asked for: a sentence for a person.</summary>
/// <param name="status">What they answered; null where nothing came back.</param>
public sealed class ServerException(string message, HttpStatusCode? status, Exception? cause = null) : Exception(message, cause)
{
    public HttpStatusCode? Status { get; } = status;

    /// <summary>The same may well succeed later: nobody answers, or whoever answers is not ready, or has too much to do.</summary>
    public bool IsAway { get; init; } = status is null or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError;
}
