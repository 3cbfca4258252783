using System.ComponentModel;
using System.Globalization;
using System.Text.Json.Serialization;
using FedKSeed.Contracts;
using FedKSeed.Federation.Aggregation;

namespace FedKSeed.Federation.Rates;

/// <summary>A report of a commit as a rule of client rates sees it.</summary>
/// <param name="MeanLoss">Of the steps that gave a scalar, nats a token; null where reports do not say it.</param>
public sealed record RatedReport(AggregatedReport Aggregated, float? MeanLoss);

/// <summary>
/// What a client's learning rate goes by (FedMeZO; SPEC 4): each commit says a number of each of its reports, x, and a
/// <see cref="ClientRateForm"/> makes factors of them. Pure, and in correctly rounded operations in a fixed order: the fold finds every
/// factor again, on any machine.
/// </summary>
[JsonConverter(typeof(RuleJson<ClientRateRule>))]
[TypeConverter(typeof(RuleText<ClientRateRule>))]
public abstract class ClientRateRule : IRule<ClientRateRule>
{
    /// <summary>All clients have the round's learning rate.</summary>
    public static ClientRateRule None { get; } = new OneRate();

    /// <summary>x is the mean loss that a report says: a client that is worse off than the others moves faster.</summary>
    public static ClientRateRule Loss { get; } = new LossRates();

    /// <summary>
    /// x is how far a report's contributions are from the mean of its commit's: a client whose data differ moves faster. In expectation
    /// over the directions it is, but for a constant factor, the distance of the client's weights from the mean of all clients'.
    /// </summary>
    public static ClientRateRule Drift { get; } = new DriftRates();

    /// <summary>A factor is drawn for each round and client, evenly from 1 − κ to 1 + κ: what the other rules are compared with.</summary>
    public static ClientRateRule Random { get; } = new RandomRates();

    public static IReadOnlyList<ClientRateRule> All { get; } = [None, Loss, Drift, Random];

    public abstract string Name { get; }

    /// <summary>Whether each report says its mean loss.</summary>
    public virtual bool TakesLoss => false;

    /// <summary>The largest factor that there can be.</summary>
    public abstract double LargestFactor(ClientRateForm form, double spread);

    /// <summary>x of each report of a commit, in their order; null for one that shows nothing. Empty where no history is kept.</summary>
    /// <param name="reports">In the order of their assignments.</param>
    public virtual IReadOnlyList<double?> Observe(IReadOnlyList<RatedReport> reports, int seedCount) => [];

    /// <summary>What the round's learning rate is multiplied by for an assignment.</summary>
    /// <param name="histories">Of the version that the assignment is based on.</param>
    public virtual double FactorOf(FederationSettings settings, ClientHistories histories, AssignmentKey key)
    {
        ArgumentNullException.ThrowIfNull(histories);
        return histories.FactorOf(key.Client);
    }

    public override string ToString() => Name;
}

/// <summary>No history, so every factor is 1.</summary>
internal sealed class OneRate : ClientRateRule
{
    public override string Name => "None";

    public override double LargestFactor(ClientRateForm form, double spread) => 1;
}

internal sealed class LossRates : ClientRateRule
{
    public override string Name => "Loss";

    public override bool TakesLoss => true;

    public override double LargestFactor(ClientRateForm form, double spread) => form.LargestFactor(spread);

    public override IReadOnlyList<double?> Observe(IReadOnlyList<RatedReport> reports, int seedCount) =>
        [.. reports.Select(report => (double?)report.MeanLoss)];
}

/// <summary>
/// x = √Σⱼ (Cⱼ − C̄ⱼ)², Cⱼ being the sum of a report's contributions to seed j as a float64, C̄ⱼ the plain mean over the commit's reports,
/// summed in their order; squares are summed in the order of seeds.
/// </summary>
internal sealed class DriftRates : ClientRateRule
{
    public override string Name => "Drift";

    public override double LargestFactor(ClientRateForm form, double spread) => form.LargestFactor(spread);

    public override IReadOnlyList<double?> Observe(IReadOnlyList<RatedReport> reports, int seedCount)
    {
        var (sums, mean) = (new long[seedCount], new double[seedCount]);
        foreach (var report in reports)
        {
            Sum(report.Aggregated, sums);
            for (var seed = 0; seed < seedCount; seed++)
                mean[seed] += sums[seed];
        }
        for (var seed = 0; seed < seedCount; seed++)
            mean[seed] /= reports.Count;
        return [.. reports.Select(report => (double?)Distance(Sum(report.Aggregated, sums), mean))];
    }

    private static long[] Sum(AggregatedReport report, long[] sums)
    {
        Array.Clear(sums);
        var seeds = report.Seeds.Span;
        var contributions = report.Contributions.Span;
        for (var step = 0; step < seeds.Length; step++)
            sums[seeds[step]] = checked(sums[seeds[step]] + contributions[step]);
        return sums;
    }

    private static double Distance(long[] sums, double[] mean)
    {
        var squares = 0.0;
        for (var seed = 0; seed < sums.Length; seed++)
        {
            var difference = sums[seed] - mean[seed];
            squares += difference * difference;
        }
        return Math.Sqrt(squares);
    }
}

internal sealed class RandomRates : ClientRateRule
{
    public override string Name => "Random";

    public override double LargestFactor(ClientRateForm form, double spread) => 1 + spread;

    public override double FactorOf(FederationSettings settings, ClientHistories histories, AssignmentKey key)
    {
        var text = string.Create(
            CultureInfo.InvariantCulture, $"fedkseed/client-rate/1:{settings.Directions.PoolKey}:{key.Round}:{key.Client}");
        return 1 + settings.ClientRateSpread * (2 * UniformDraw.Of(text) - 1);
    }
}
