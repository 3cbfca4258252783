using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Options;

namespace FedKSeed.RoundService;

/// <summary>
/// A clock for every open federation of the store, each on its own, so that none waits for another. Looks at the registry at intervals;
/// a federation that is opened or removed meanwhile gets its clock, or loses it.
/// </summary>
public sealed partial class RoundClocks(
    FederationRegistry registry, FederationBooks books, RedisPresences presences, ClockInstances instances, WakeUps wakeUps, IBus bus,
    FederationGauges gauges, IOptions<RoundServiceOptions> options, TimeProvider time, ILogger<RoundClock> log)
    : BackgroundService
{
    /// <summary>What nobody foresaw may pass; it is not tried again at once, and holds up no other federation.</summary>
    private static readonly TimeSpan AfterAFault = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan LeavePatience = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, RunningClock> _running = new(StringComparer.Ordinal);
    private volatile IReadOnlyList<string> _alive = [];
    private readonly DateTimeOffset _since = time.GetUtcNow();
    private bool _isAway;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                await TryLookAsync(stoppingToken);
                await wakeUps.Registry.WaitAsync(options.Value.Tick, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
        finally
        {
            // All at once: a Redis that hangs costs the end of the service one patience, not two.
            await Task.WhenAll([.. _running.Values.Select(clock => clock.Ended), LeaveAsync()]);
        }
    }

    private async Task TryLookAsync(CancellationToken cancel)
    {
        try
        {
            _alive = await instances.HeardAsync(options.Value.ClockLease, cancel);
            await LookAsync(await registry.AllAsync(cancel), cancel);
            _isAway = false;
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault))
        {
            if (!_isAway)
                Away(LogStoreRegistration.WhyAway(fault));
            _isAway = true;
        }
    }

    private async Task LookAsync(IReadOnlyDictionary<string, RegisteredFederation> all, CancellationToken cancel)
    {
        foreach (var clock in _running.Values.Where(clock => !IsThere(clock.Federation, all)).ToArray())
        {
            await clock.Ending.CancelAsync();
            await clock.Ended;
            Forget(clock);
            Gone(clock.Federation.Name);
        }
        foreach (var clock in _running.Values.Where(clock => clock.Ended.IsCompleted).ToArray())
            Forget(clock);
        foreach (var federation in all.Values.Where(federation => !federation.IsClosed && !_running.ContainsKey(federation.Name)))
            Start(federation, cancel);
    }

    private static bool IsThere(RegisteredFederation federation, IReadOnlyDictionary<string, RegisteredFederation> all) =>
        all.GetValueOrDefault(federation.Name) is { IsClosed: false } known && known.Since == federation.Since;

    private void Start(RegisteredFederation federation, CancellationToken cancel)
    {
        var ending = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var clock = new RoundClock(
            federation.Name, books.Of(federation), presences.Of(federation.Name),
            () => ClockInstances.Of(federation.Name, _alive) == instances.Own, _since,
            wakeUps.Of(federation.Name), bus, gauges, options.Value, time, log);
        _running[federation.Name] = new RunningClock(federation, ending, RunAsync(federation, clock, ending.Token));
    }

    /// <summary>Never fails: what goes wrong in one federation is said, and tried again later.</summary>
    private async Task RunAsync(RegisteredFederation federation, RoundClock clock, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
            try
            {
                await clock.RunAsync(cancel);
                if (!cancel.IsCancellationRequested)
                    await registry.CloseAsync(federation, cancel);
                return;
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault)
            {
                Failed(fault, federation.Name, AfterAFault.TotalSeconds);
                await Task.Delay(AfterAFault, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
    }

    private void Forget(RunningClock clock)
    {
        _running.Remove(clock.Federation.Name);
        wakeUps.Forget(clock.Federation.Name);
        clock.Ending.Dispose();
    }

    private async Task LeaveAsync()
    {
        using var patience = new CancellationTokenSource(LeavePatience, time);
        try
        {
            await instances.LeaveAsync(patience.Token);
        }
        catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault)
            || fault is ObjectDisposedException or OperationCanceledException)
        {
            // It is not heard of any more soon.
        }
    }

    private sealed record RunningClock(RegisteredFederation Federation, CancellationTokenSource Ending, Task Ended);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The registry of federations is looked at when its store is back: {Reason}")]
    private partial void Away(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Federation} is closed, or was removed: its clock stops")]
    private partial void Gone(string federation);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Federation}: its clock failed, and is tried again in {Seconds} s")]
    private partial void Failed(Exception fault, string federation, double seconds);
}
