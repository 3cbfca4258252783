using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace FedKSeed.RoundService;

/// <summary>Who was heard of lately. Heartbeats rebuild it within seconds of a restart, so it is kept nowhere. Safe to call from any thread.</summary>
public sealed class Presence(IOptions<RoundServiceOptions> options, TimeProvider time)
{
    private readonly ConcurrentDictionary<string, DateTimeOffset> _lastHeard = new(StringComparer.Ordinal);

    public void Heard(string client) => _lastHeard[client] = time.GetUtcNow();

    public IReadOnlyList<string> Alive()
    {
        var horizon = time.GetUtcNow() - options.Value.ClientTimeout;
        foreach (var (client, heard) in _lastHeard)
            if (heard < horizon)
                _lastHeard.TryRemove(new KeyValuePair<string, DateTimeOffset>(client, heard));
        return [.. _lastHeard.Keys.Order(StringComparer.Ordinal)];
    }
}
