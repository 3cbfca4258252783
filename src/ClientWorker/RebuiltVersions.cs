using FedKSeed.Contracts;

namespace FedKSeed.ClientWorker;

/// <summary>
/// The weights of the version that clients of one federation tune: rebuilt once for all of them, and for whoever scores it. Safe to call
/// from any thread; who asks for another version waits until it is rebuilt.
/// </summary>
public sealed class RebuiltVersions(FederationModel model, WorkerMetrics metrics, TimeProvider time) : IDisposable
{
    private readonly Lock _lock = new();
    private SharedVersion? _latest;

    /// <summary>A version, to be let go by the caller.</summary>
    /// <param name="version">Which.</param>
    /// <param name="isForOnce">Whether nobody else will ask for it, so that it does not displace the one that is kept.</param>
    /// <exception cref="FormatException">It trains other tensors than its groups name in this base.</exception>
    internal SharedVersion Hold(ModelVersion version, bool isForOnce = false)
    {
        lock (_lock)
        {
            if (_latest?.Version == version)
                return _latest.Hold();
            if (isForOnce)
                return Rebuild(version);
            _latest?.LetGo(); // before the next is there: two of them are in memory only while somebody reads this one
            _latest = null;
            _latest = Rebuild(version);
            return _latest.Hold();
        }
    }

    public void Dispose() => _latest?.LetGo();

    private SharedVersion Rebuild(ModelVersion version)
    {
        var began = time.GetTimestamp();
        var rebuilt = new SharedVersion(version, model.Rebuild(version));
        metrics.Rebuilt(time.GetElapsedTime(began));
        return rebuilt;
    }
}
