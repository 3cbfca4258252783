using FedKSeed.Contracts;

namespace FedKSeed.ClientWorker;

/// <summary>
/// The last versions of one federation that this process was sent, from which deltas lead on. All its clients there share them. Losing it
/// costs a message, nothing else. Safe to call from any thread.
/// </summary>
public sealed class HeldVersions
{
    // 10 KiB each at K = 4096.
    private const int Kept = 16;

    private readonly Lock _lock = new();
    private readonly Queue<int> _order = new();
    private readonly Dictionary<int, ModelVersion> _byVersion = [];

    /// <summary>The version of an assignment; null when it cannot be made out of what is held, and must be asked for.</summary>
    /// <exception cref="FormatException">The assignment's whole version is not the one that its digest says.</exception>
    public ModelVersion? Of(SeedsAssigned assignment)
    {
        ArgumentNullException.ThrowIfNull(assignment);
        var version = assignment.Model ?? Follow(assignment);
        if (version is null || !version.Digest().AsSpan().SequenceEqual(assignment.VersionDigest))
            return assignment.Model is null
                ? null
                : throw new FormatException($"version {assignment.Version} has another digest than the assignment says");
        Keep(version);
        return version;
    }

    private ModelVersion? Follow(SeedsAssigned assignment)
    {
        var delta = assignment.Delta!;
        if (Find(delta.Since) is not { } from)
            return null;
        try
        {
            return delta.Apply(from, assignment.Version);
        }
        catch (FormatException)
        {
            // It starts from another version of this number: one of a log that was begun anew, for example.
            return null;
        }
    }

    private ModelVersion? Find(int version)
    {
        lock (_lock)
            return _byVersion.GetValueOrDefault(version);
    }

    private void Keep(ModelVersion version)
    {
        lock (_lock)
        {
            if (!_byVersion.ContainsKey(version.Version))
                _order.Enqueue(version.Version);
            _byVersion[version.Version] = version;
            if (_order.Count > Kept)
                _byVersion.Remove(_order.Dequeue());
        }
    }
}
