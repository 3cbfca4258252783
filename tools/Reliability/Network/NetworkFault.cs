namespace FedKSeed.Reliability.Network;

public enum NetworkFaultKind
{
    /// <summary>Everything takes 200 ± 100 ms longer.</summary>
    Slow,

    /// <summary>What the server sends does not arrive; what it is sent does.</summary>
    StalledReplies,

    ResetInMidFrame,

    /// <summary>Connections swallow what is sent, and stay open.</summary>
    HalfOpen,

    /// <summary>Nothing gets through, not even a new connection.</summary>
    Partition,
}

/// <param name="Duration">Without meaning for resets and half-open connections, which are left for the services to find out.</param>
public sealed record NetworkFault(NetworkFaultKind Kind, TimeSpan Duration)
{
    /// <summary>Latency of a slow network.</summary>
    public static Latency SlowLatency { get; } = new(TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(100));

    /// <summary>One of the kinds, all equally likely.</summary>
    /// <param name="longestPartition">A partition lasts from one second to so long, short ones being likelier.</param>
    public static NetworkFault Draw(Random random, TimeSpan longestPartition)
    {
        ArgumentNullException.ThrowIfNull(random);
        var kind = (NetworkFaultKind)random.Next(Enum.GetValues<NetworkFaultKind>().Length);
        var share = random.NextDouble();
        return new NetworkFault(kind, kind switch
        {
            NetworkFaultKind.Partition => TimeSpan.FromSeconds(Math.Pow(longestPartition.TotalSeconds, share)),
            NetworkFaultKind.Slow or NetworkFaultKind.StalledReplies => TimeSpan.FromSeconds(2 + 8 * share),
            _ => TimeSpan.Zero,
        });
    }

    /// <summary>Returns when the cause is gone.</summary>
    public async Task StrikeAsync(HostileProxy proxy, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(proxy);
        switch (Kind)
        {
            case NetworkFaultKind.Slow:
                proxy.Latency = SlowLatency;
                break;
            case NetworkFaultKind.StalledReplies:
                proxy.StallReplies(Duration);
                break;
            case NetworkFaultKind.ResetInMidFrame:
                proxy.ResetInMidFrame();
                break;
            case NetworkFaultKind.HalfOpen:
                proxy.LeaveHalfOpen();
                break;
            case NetworkFaultKind.Partition:
                proxy.Partition(Duration);
                break;
            default:
                throw new InvalidOperationException($"{Kind} is no fault of a network.");
        }
        try
        {
            await Task.Delay(Duration, cancel);
        }
        finally
        {
            proxy.Latency = Latency.None;
        }
    }
}
