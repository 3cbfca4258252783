namespace FedKSeed.Reliability;

public enum FaultKind
{
    WorkerKilled,
    SeedServiceKilled,
    RoundServiceKilled,
    RedisKilled,
    BrokerKilled,
    WorkerSuspended,
    WorkerHangsPastDeadline,
    SeedServiceSuspended,
    RoundServiceSuspended,
    BrokerAppStopped,
    ConnectionsClosed,
    ClientsSilent,
    RedisDiskFull,
}

/// <param name="Target">Which of the processes, or groups, of its kind; taken modulo their number.</param>
/// <param name="Pause">From the fault before it.</param>
/// <param name="Duration">
/// How long what was stopped stays so; without meaning for the kill of a service, which is started again at once.
/// </param>
public sealed record PlannedFault(int Number, FaultKind Kind, int Target, TimeSpan Pause, TimeSpan Duration)
{
    public bool IsKill => Kind <= FaultKind.BrokerKilled;
}

/// <summary>What strikes, whom, and when: a function of a seed.</summary>
public static class FaultSchedule
{
    /// <summary>Kills of each kind in a hundred. A broker takes seconds to come back, so most kills strike services.</summary>
    private static readonly (FaultKind Kind, int Weight)[] Kills =
    [
        (FaultKind.WorkerKilled, 40), (FaultKind.SeedServiceKilled, 27), (FaultKind.RoundServiceKilled, 21), (FaultKind.RedisKilled, 9),
        (FaultKind.BrokerKilled, 3),
    ];

    private static readonly (FaultKind Kind, int Weight)[] Others =
    [
        (FaultKind.WorkerSuspended, 15), (FaultKind.WorkerHangsPastDeadline, 15), (FaultKind.SeedServiceSuspended, 20),
        (FaultKind.RoundServiceSuspended, 15), (FaultKind.ConnectionsClosed, 10), (FaultKind.ClientsSilent, 15),
        (FaultKind.RedisDiskFull, 7), (FaultKind.BrokerAppStopped, 3),
    ];

    /// <summary>Kills, and beside them one other fault for every four.</summary>
    /// <param name="kills">How many of the faults end a process with SIGKILL.</param>
    /// <param name="pace">Mean time between two faults.</param>
    public static IReadOnlyList<PlannedFault> Draw(int seed, int kills, TimeSpan pace)
    {
        var random = new Random(seed);
        List<FaultKind> kinds = [.. Deal(Kills, kills, random), .. Deal(Others, kills / 4, random)];
        var order = kinds.ToArray();
        random.Shuffle(order);
        return [.. order.Select((kind, number) => new PlannedFault(
            number, kind, random.Next(1 << 16), pace * (2 * random.NextDouble()), DurationOf(kind, random)))];
    }

    /// <summary>Each kind as often as its weight says, the rest drawn: a short schedule has all kinds that it has room for.</summary>
    private static List<FaultKind> Deal((FaultKind Kind, int Weight)[] weights, int count, Random random)
    {
        var total = weights.Sum(item => item.Weight);
        var dealt = weights.SelectMany(item => Enumerable.Repeat(item.Kind, Math.Max(1, count * item.Weight / total))).Take(count).ToList();
        while (dealt.Count < count)
            dealt.Add(weights[random.Next(weights.Length)].Kind);
        return dealt;
    }

    private static TimeSpan DurationOf(FaultKind kind, Random random)
    {
        var (least, most) = kind switch
        {
            FaultKind.RedisKilled => (0, 1500),
            FaultKind.BrokerKilled or FaultKind.BrokerAppStopped => (0, 2000),
            // A round of the tiny federation has a deadline of two seconds.
            FaultKind.WorkerHangsPastDeadline => (3000, 6000),
            FaultKind.RedisDiskFull => (500, 3000),
            _ => (100, 3000),
        };
        return TimeSpan.FromMilliseconds(random.Next(least, most));
    }
}
