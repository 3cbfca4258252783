using FedKSeed.Contracts;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace FedKSeed.ClientWorker;

/// <summary>The federation's base model is not the one that this worker loaded: whatever it computed would be wrong.</summary>
public sealed class WrongBaseModelException(string message) : FormatException(message);

/// <summary>
/// Whether this worker has the federation's base model. What it was told at its start, "Federation:BaseModelDigest", decides whether it
/// works at all. A message of another model is refused, and nothing follows from it: anybody could have sent it. Safe to use from any
/// thread.
/// </summary>
public sealed partial class FederationBase
{
    private readonly BaseModel _model;
    private readonly ILogger<FederationBase> _log;
    private string? _refused;

    public FederationBase(BaseModel model, IConfiguration configuration, ILogger<FederationBase> log)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(configuration);
        (_model, _log) = (model, log);
        if (configuration["Federation:BaseModelDigest"] is not { Length: > 0 } digest || digest == model.Digest)
            return;
        IsWrong = true;
        WrongModel(model.Model.Checkpoint.Folder, model.Digest, digest);
    }

    /// <summary>The federation has another base model, its operator says.</summary>
    public bool IsWrong { get; }

    /// <exception cref="WrongBaseModelException">The version is of another base model.</exception>
    public void Require(ModelVersion version)
    {
        ArgumentNullException.ThrowIfNull(version);
        if (version.BaseModelDigest == _model.Digest)
            return;
        var digest = version.BaseModelDigest[..Math.Min(version.BaseModelDigest.Length, _model.Digest.Length)];
        // A log line for each digest that comes, not for each message.
        if (Interlocked.Exchange(ref _refused, digest) != digest)
            Refused(digest, _model.Digest);
        throw new WrongBaseModelException($"It is of a base model with digest {digest}, this worker's has {_model.Digest}.");
    }

    [LoggerMessage(Level = LogLevel.Critical,
        Message = "The base model in {Folder} has digest {Digest}, the federation's has {Federation}: this worker works for none "
            + "of its clients. Set Worker:ModelFolder to the federation's base model and start it again")]
    private partial void WrongModel(string folder, string digest, string federation);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "Refused a message of a base model with digest {Digest}; this worker's has {Own}. If the federation's is the other one, "
            + "set Worker:ModelFolder to it, and Federation:BaseModelDigest so that it is checked at the start")]
    private partial void Refused(string digest, string own);
}

/// <summary>Ready when the queues of all clients are open.</summary>
public sealed class ClientsHealthCheck(FederationBase federation) : IHealthCheck
{
    private volatile bool _areReady;

    /// <summary>Every client can take an assignment.</summary>
    public void Ready() => _areReady = true;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(
            federation.IsWrong ? HealthCheckResult.Unhealthy("the federation has another base model")
            : _areReady ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("the queues of the clients are not open yet"));
}
