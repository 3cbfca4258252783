using FedKSeed.Reliability.Network;

namespace FedKSeed.Reliability.Soak;

/// <summary>What strikes next: a fault of a process, or of the network before the broker or before Redis.</summary>
internal sealed record SoakFault(PlannedFault? Process, NetworkFault? Network, bool IsBeforeBroker)
{
    public string Name => Process?.Kind.ToString() ?? $"{Network!.Kind} before {(IsBeforeBroker ? "broker" : "Redis")}";
}

/// <summary>Faults without end, as a function of a seed: of processes and of the network in turn.</summary>
internal sealed class SoakPlan
{
    private const int FaultsDrawnAtOnce = 200;

    private readonly Random _random;
    private readonly Queue<PlannedFault> _drawn = new();
    private bool _networkIsNext;

    public SoakPlan(int seed) => _random = new Random(seed);

    public TimeSpan LongestPartition { get; init; } = TimeSpan.FromSeconds(60);

    public SoakFault Next()
    {
        _networkIsNext = !_networkIsNext;
        if (_networkIsNext)
            return new SoakFault(null, NetworkFault.Draw(_random, LongestPartition), _random.Next(2) == 0);
        if (_drawn.Count == 0)
            foreach (var fault in FaultSchedule.Draw(_random.Next(), FaultsDrawnAtOnce, TimeSpan.Zero))
                _drawn.Enqueue(fault);
        var next = _drawn.Dequeue();
        // Of two processes that do the same, kills strike the second: the first is the one whose memory is watched.
        return new SoakFault(next.IsKill ? next with { Target = next.Target | 1 } : next, null, false);
    }
}
