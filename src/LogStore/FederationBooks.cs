using FedKSeed.Federation;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>There is no federation of this name in the store, or none any more.</summary>
public sealed class NoSuchFederationException(string federation) : FormatException($"there is no federation '{federation}' in the store");

/// <summary>
/// The books of the federations of a store, by name. Of many, those that were used last are kept in memory; any other begins at its
/// checkpoint again. Safe to call from any thread.
/// </summary>
public sealed class FederationBooks(
    IConnectionMultiplexer redis, FederationRegistry registry, TimeProvider time, ILogger<FederationBook> logger)
{
    /// <summary>Books in memory: a few hundred kilobytes each at K = 4096.</summary>
    private const int Kept = 256;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, KeptBook> _byName = new(StringComparer.Ordinal);
    private long _uses;

    /// <exception cref="NoSuchFederationException">There is none.</exception>
    public async Task<FederationBook> OfAsync(string federation, CancellationToken cancel) =>
        Of(await registry.FindAsync(federation, cancel) ?? throw new NoSuchFederationException(federation));

    /// <summary>The book of a federation, which another one of the same name does not share.</summary>
    public FederationBook Of(RegisteredFederation federation)
    {
        ArgumentNullException.ThrowIfNull(federation);
        lock (_lock)
        {
            if (!_byName.TryGetValue(federation.Name, out var kept) || kept.Since != federation.Since)
            {
                // One that is in use meanwhile loses nothing: appends are conditional, whoever makes them.
                if (_byName.Count >= Kept)
                    _byName.Remove(_byName.MinBy(item => item.Value.Used).Key);
                kept = new KeptBook(
                    new FederationBook(new RedisFederationLog(redis, federation.Name), time, logger), federation.Since);
                _byName[federation.Name] = kept;
            }
            kept.Used = ++_uses;
            return kept.Book;
        }
    }

    /// <summary>Takes a name and begins its log, if nobody did.</summary>
    /// <param name="actor">Who opens it; null where it is nobody in particular.</param>
    /// <returns>The state of the federation, which may have come far already.</returns>
    /// <exception cref="InvalidOperationException">It was opened with other settings.</exception>
    public async Task<FederationState> OpenAsync(FederationSettings settings, string? actor, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(settings);
        await registry.AddAsync(settings.Name, cancel);
        var book = await OfAsync(settings.Name, cancel);
        return await book.AppendAsync((state, _) => FederationDecisions.Open(state, settings, actor), cancel);
    }

    /// <summary>Deletes all that the store holds of a federation.</summary>
    public async Task RemoveAsync(string federation, CancellationToken cancel)
    {
        await new RedisFederationLog(redis, federation).DeleteAsync(cancel);
        await registry.RemoveAsync(federation, cancel);
        lock (_lock)
            _byName.Remove(federation);
    }

    private sealed record KeptBook(FederationBook Book, DateTimeOffset Since)
    {
        public long Used { get; set; }
    }
}
