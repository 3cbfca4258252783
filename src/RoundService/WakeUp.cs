using System.Collections.Concurrent;
using System.Threading.Channels;

namespace FedKSeed.RoundService;

/// <summary>Tells a clock that its book may have changed. Any number of calls before it looks count as one.</summary>
public sealed class WakeUp
{
    private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Now() => _signal.Writer.TryWrite(true);

    /// <summary>Returns at the next call of <see cref="Now"/>, or after the time.</summary>
    public async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancel)
    {
        using var timeout = new CancellationTokenSource(atMost, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
        try
        {
            await _signal.Reader.ReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
        }
    }
}

/// <summary>The wake-ups of the clocks that run in this process, by federation. Safe to call from any thread.</summary>
public sealed class WakeUps
{
    private readonly ConcurrentDictionary<string, WakeUp> _byFederation = new(StringComparer.Ordinal);

    /// <summary>There may be a federation that has no clock here yet.</summary>
    public WakeUp Registry { get; } = new();

    public WakeUp Of(string federation) => _byFederation.GetOrAdd(federation, _ => new WakeUp());

    public void Forget(string federation) => _byFederation.TryRemove(federation, out _);

    public void Now(string federation) => (_byFederation.GetValueOrDefault(federation) ?? Registry).Now();
}
