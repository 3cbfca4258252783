using FedKSeed.Contracts;
using Microsoft.Extensions.Logging;

namespace FedKSeed.ClientWorker;

/// <summary>The federation's base model is not the one that this worker loaded: whatever it computed would be wrong.</summary>
public sealed class WrongBaseModelException(string message) : FormatException(message);

/// <summary>
/// Whether this worker has a federation's base model. What it was told at its start, BaseModelDigest of the membership, decides whether it
/// works in it at all. A message of another model is refused, and nothing follows from it: anybody could have sent it. Safe to use from any
/// thread.
/// </summary>
public sealed partial class FederationBase
{
    private readonly string _federation;
    private readonly string _own;
    private readonly ILogger _log;
    private string? _refused;

    public FederationBase(MembershipOptions options, BaseModel model, ILogger log)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(model);
        (_federation, _own, _log) = (options.Federation, model.Digest, log);
        if (options.BaseModelDigest is not { Length: > 0 } digest || digest == _own)
            return;
        IsWrong = true;
        WrongModel(model.Model.Checkpoint.Folder, _own, _federation, digest);
    }

    /// <summary>The federation has another base model, its operator says.</summary>
    public bool IsWrong { get; }

    /// <exception cref="WrongBaseModelException">The version, or the federation as its operator says, is of another base model.</exception>
    /// <param name="version">Null where a message does not bring it whole.</param>
    public void Require(ModelVersion? version)
    {
        if (version is not null && version.BaseModelDigest != _own)
        {
            var digest = version.BaseModelDigest[..Math.Min(version.BaseModelDigest.Length, _own.Length)];
            // A log line for each digest that comes, not for each message.
            if (Interlocked.Exchange(ref _refused, digest) != digest)
                Refused(_federation, digest, _own);
            throw new WrongBaseModelException($"It is of a base model with digest {digest}, this worker's has {_own}.");
        }
        if (IsWrong)
            throw new WrongBaseModelException($"Federation {_federation} has another base model than this worker, which has {_own}.");
    }

    [LoggerMessage(Level = LogLevel.Critical,
        Message = "The base model in {Folder} has digest {Digest}, that of federation {Federation} has {Wanted}: this worker does nothing "
            + "in it. Set the ModelFolder of its membership to the federation's base model and start it again")]
    private partial void WrongModel(string folder, string digest, string federation, string wanted);

    [LoggerMessage(Level = LogLevel.Error,
        Message = "Refused a message of federation {Federation}, of a base model with digest {Digest}; this worker's has {Own}. If the "
            + "federation's is the other one, set the ModelFolder of its membership to it, and BaseModelDigest so that it is checked at "
            + "the start")]
    private partial void Refused(string federation, string digest, string own);
}
