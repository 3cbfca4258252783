namespace FedKSeed.Simulation.Tests;

/// <summary>What the world does to a simulated federation. Times in virtual seconds, chances from 0 to 1.</summary>
internal sealed record Weather
{
    public required int Clients { get; init; }

    /// <summary>Median of a client's time for an assignment, which is log-normal.</summary>
    public double MedianWork { get; init; } = 3;

    /// <summary>σ of its logarithm: 1 makes one assignment in a hundred take ten times the median.</summary>
    public double WorkSpread { get; init; } = 0.8;

    /// <summary>A client takes its assignment and is never heard of again in this round.</summary>
    public double Silent { get; init; }

    /// <summary>A message is delivered a second time, later.</summary>
    public double Duplicated { get; init; }

    /// <summary>A message comes late by up to a minute, so that others overtake it.</summary>
    public double Delayed { get; init; }

    /// <summary>
    /// SeedService dies after its append and before it acknowledges: the message comes again to its successor, which folds the log.
    /// </summary>
    public double SeedServiceCrash { get; init; }

    /// <summary>RoundService dies at a tick and starts again seconds later, knowing nothing.</summary>
    public double RoundServiceCrash { get; init; }

    /// <summary>A client is away at a heartbeat, for some of them.</summary>
    public double Away { get; init; }

    /// <summary>How often people steer the federation: pauses, bars, and what ends them, some of them seconds apart.</summary>
    public int Acts { get; init; }

    /// <summary>The last act is to stop the federation.</summary>
    public bool IsStopped { get; init; }
}
