using System.ComponentModel;
using System.Text.Json.Serialization;

namespace FedKSeed.Federation.Rates;

/// <summary>How the numbers that a <see cref="ClientRateRule"/> has of clients become factors on their learning rates (SPEC 4).</summary>
[JsonConverter(typeof(RuleJson<ClientRateForm>))]
[TypeConverter(typeof(RuleText<ClientRateForm>))]
public abstract class ClientRateForm : IRule<ClientRateForm>
{
    /// <summary>
    /// As the paper's authors have it: f = 1 + κ(x − x̄) / max|x − x̄|, x̄ being the plain mean. The client furthest from the mean always
    /// gets 1 + κ or 1 − κ, however alike all of them are.
    /// </summary>
    public static ClientRateForm FedMeZO { get; } = new FurthestIsFull();

    /// <summary>
    /// f = 1 + κ(x / x̄ − 1), at least ¼ and at most 4, x̄ being the mean weighted by examples: 1 where clients are alike, and but for the
    /// bounds the commit's weights add up to what they would without it.
    /// </summary>
    public static ClientRateForm Proportional { get; } = new Proportion();

    public static IReadOnlyList<ClientRateForm> All { get; } = [FedMeZO, Proportional];

    public abstract string Name { get; }

    /// <summary>The largest factor that there can be.</summary>
    public abstract double LargestFactor(double spread);

    /// <param name="values">x of each client that has one, none negative, in the order of their names.</param>
    /// <param name="examples">Training examples of each of them.</param>
    /// <param name="spread">κ.</param>
    public abstract double[] Factors(IReadOnlyList<double> values, IReadOnlyList<int> examples, double spread);

    public override string ToString() => Name;
}

internal sealed class FurthestIsFull : ClientRateForm
{
    public override string Name => "FedMeZO";

    public override double LargestFactor(double spread) => 1 + spread;

    public override double[] Factors(IReadOnlyList<double> values, IReadOnlyList<int> examples, double spread)
    {
        var sum = 0.0;
        foreach (var value in values)
            sum += value;
        var mean = sum / values.Count;
        var furthest = 0.0;
        foreach (var value in values)
            furthest = Math.Max(furthest, Math.Abs(value - mean));
        return [.. values.Select(value => furthest > 0 ? 1 + spread * (value - mean) / furthest : 1)];
    }
}

internal sealed class Proportion : ClientRateForm
{
    private const double Least = 0.25, Largest = 4;

    public override string Name => "Proportional";

    public override double LargestFactor(double spread) => Largest;

    public override double[] Factors(IReadOnlyList<double> values, IReadOnlyList<int> examples, double spread)
    {
        var (sum, weight) = (0.0, 0.0);
        for (var client = 0; client < values.Count; client++)
        {
            sum += examples[client] * values[client];
            weight += examples[client];
        }
        var mean = sum / weight;
        return [.. values.Select(value => mean > 0 ? Math.Clamp(1 + spread * (value / mean - 1), Least, Largest) : 1)];
    }
}
