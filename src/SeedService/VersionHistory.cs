using System.Runtime.CompilerServices;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.LogStore;

namespace FedKSeed.SeedService;

/// <summary>A version as it is sent, and its digest.</summary>
public sealed record SentVersion(ModelVersion Model, byte[] Digest);

/// <summary>
/// The last versions that this process sent, from which deltas are made. Losing it costs bytes, nothing else: what it does not hold is sent
/// whole. Safe to call from any thread.
/// </summary>
public sealed class VersionHistory
{
    // 16 KiB each at K = 4096.
    private const int Kept = 16;

    private readonly Lock _lock = new();
    private readonly SortedDictionary<int, SentVersion> _byVersion = [];

    /// <summary>The present version.</summary>
    public SentVersion Of(FederationState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (Find(state.Version) is { } known)
            return known;
        var model = ModelVersion.Of(
            state.Version, state.Settings!.BaseModelDigest, state.Settings.Directions, state.Accumulators.Span);
        var sent = new SentVersion(model, model.Digest());
        lock (_lock)
        {
            _byVersion[state.Version] = sent;
            while (_byVersion.Count > Kept)
                _byVersion.Remove(_byVersion.Keys.First());
        }
        return sent;
    }

    public SentVersion? Find(int? version)
    {
        lock (_lock)
            return version is { } number ? _byVersion.GetValueOrDefault(number) : null;
    }
}

/// <summary>The history of each federation whose book this process holds: it goes with the book. Safe to call from any thread.</summary>
public sealed class VersionHistories
{
    private readonly ConditionalWeakTable<FederationBook, VersionHistory> _byBook = [];

    public VersionHistory Of(FederationBook book) => _byBook.GetOrCreateValue(book);
}
