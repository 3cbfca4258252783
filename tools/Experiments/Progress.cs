namespace FedKSeed.Experiments;

/// <summary>What of an experiment is done, and what is due: a pure function of its outcomes.</summary>
public sealed class Progress(Experiment experiment, IReadOnlyList<Outcome> outcomes)
{
    /// <summary>The first key tries the rates; the others take the best.</summary>
    private const int FirstKey = 1;

    /// <summary>The run that is due; null when all are done.</summary>
    public DueRun? Next()
    {
        foreach (var arm in experiment.Arms)
        {
            foreach (var rate in arm.Rates)
                if (Find(arm, FirstKey, rate) is null)
                    return new DueRun(arm, FirstKey, rate);
            var best = BestRate(arm);
            for (var key = FirstKey; key <= experiment.Keys; key++)
                if (Find(arm, key, best) is null)
                    return new DueRun(arm, key, best);
        }
        return null;
    }

    /// <summary>Runs that are done, of those that it needs: a folder may hold others, of rates or rounds that it had before.</summary>
    public int Done => experiment.Arms.Sum(
        arm => arm.Rates.Count(rate => Find(arm, FirstKey, rate) is not null)
            + Of(arm).Count(one => arm.RateOf is not null || one.Key > FirstKey));

    /// <summary>All runs, those done included.</summary>
    public int Total => experiment.Arms.Sum(arm => Math.Max(1, arm.Rates.Count) + experiment.Keys - 1);

    /// <summary>The rate of the arm with the least loss of those tried with the first key; a run that diverged has none.</summary>
    public double BestRate(Arm arm)
    {
        ArgumentNullException.ThrowIfNull(arm);
        if (arm.RateOf is { } other)
            return BestRate(experiment.Arms.First(one => one.Name == other));
        return arm.Rates.MinBy(rate => Find(arm, FirstKey, rate)?.Loss ?? double.PositiveInfinity);
    }

    /// <summary>The arm's outcomes at its best rate, by key.</summary>
    public IReadOnlyList<Outcome> Of(Arm arm) =>
        [.. Enumerable.Range(FirstKey, experiment.Keys).Select(key => Find(arm, key, BestRate(arm))).OfType<Outcome>()];

    private Outcome? Find(Arm arm, int key, double rate) =>
        outcomes.FirstOrDefault(outcome =>
            outcome.Arm == arm.Name && outcome.Key == key && outcome.Rate == rate && outcome.Rounds == experiment.Common.Rounds);
}
