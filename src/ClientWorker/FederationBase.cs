using FedKSeed.Contracts;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace FedKSeed.ClientWorker;

/// <summary>The federation's base model is not the one that this worker loaded: whatever it computed would be wrong.</summary>
public sealed class WrongBaseModelException(string message) : FormatException(message);

/// <summary>
/// Whether this worker has the federation's base model. It knows the federation's digest from "Federation:BaseModelDigest", if that is set,
/// and from every assignment. One that has another model says so once and withdraws. Safe to use from any thread.
/// </summary>
public sealed partial class FederationBase : IDisposable
{
    private readonly BaseModel _model;
    private readonly ILogger<FederationBase> _log;
    private readonly CancellationTokenSource _wrong = new();
    private int _said;

    public FederationBase(BaseModel model, IConfiguration configuration, ILogger<FederationBase> log)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        (_model, _log) = (model, log);
        if (configuration["Federation:BaseModelDigest"] is { Length: > 0 } digest)
            IsRight(digest);
    }

    /// <summary>Cancelled when the federation turns out to have another base model.</summary>
    public CancellationToken Wrong => _wrong.Token;

    /// <exception cref="WrongBaseModelException">The version is of another base model.</exception>
    public void Require(ModelVersion version)
    {
        ArgumentNullException.ThrowIfNull(version);
        if (!IsRight(version.BaseModelDigest))
            throw new WrongBaseModelException(
                $"The federation's base model has digest {version.BaseModelDigest}, this worker's has {_model.Digest}.");
    }

    public void Dispose() => _wrong.Dispose();

    private bool IsRight(string digest)
    {
        if (digest == _model.Digest)
            return true;
        if (Interlocked.Exchange(ref _said, 1) == 0)
        {
            WrongModel(_model.Model.Checkpoint.Folder, _model.Digest, digest);
            _wrong.Cancel();
        }
        return false;
    }

    [LoggerMessage(Level = LogLevel.Critical,
        Message = "The base model in {Folder} has digest {Digest}, the federation's has {Federation}: this worker works for none "
            + "of its clients. Set Worker:ModelFolder to the federation's base model and start it again")]
    private partial void WrongModel(string folder, string digest, string federation);
}

/// <summary>Ready when the queues of all clients are open.</summary>
public sealed class ClientsHealthCheck(FederationBase federation) : IHealthCheck
{
    private volatile bool _areReady;

    /// <summary>Every client can take an assignment.</summary>
    public void Ready() => _areReady = true;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(
            federation.Wrong.IsCancellationRequested ? HealthCheckResult.Unhealthy("the federation has another base model")
            : _areReady ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("the queues of the clients are not open yet"));
}
