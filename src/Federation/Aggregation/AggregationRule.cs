using System.ComponentModel;
using System.Text.Json.Serialization;

namespace FedKSeed.Federation.Aggregation;

/// <summary>A report as an aggregation rule sees it.</summary>
/// <param name="Client">Whose it is.</param>
/// <param name="Examples">Training examples that the client declares.</param>
/// <param name="Staleness">Commits since the version that it is based on.</param>
/// <param name="Seeds">Seed index of each step that gave a scalar.</param>
/// <param name="Contributions">η·g of each such step, in units of 2⁻⁴⁰.</param>
public sealed record AggregatedReport(
    string Client, int Examples, int Staleness, ReadOnlyMemory<ushort> Seeds, ReadOnlyMemory<long> Contributions);

/// <summary>What a commit comes to.</summary>
/// <param name="Weights">One for each report, in their order: what the log says that it weighed.</param>
/// <param name="Accumulators">a[K] after it.</param>
public sealed record Aggregate(IReadOnlyList<long> Weights, ReadOnlyMemory<long> Accumulators);

/// <summary>
/// How the reports of a commit become one move of the accumulators. Pure, and in integers or correctly rounded operations: the fold calls
/// it again for every commit that it reads, on any machine.
/// </summary>
[JsonConverter(typeof(RuleJson<AggregationRule>))]
[TypeConverter(typeof(RuleText<AggregationRule>))]
public abstract class AggregationRule : IRule<AggregationRule>
{
    /// <summary>The mean, weighted by examples and staleness (SPEC 5).</summary>
    public static AggregationRule WeightedMean { get; } = new WeightedMean();

    public static IReadOnlyList<AggregationRule> All { get; } = [WeightedMean];

    public abstract string Name { get; }

    /// <param name="accumulators">a[K] before the commit.</param>
    /// <param name="reports">In the order of their assignments; may be empty, which changes nothing.</param>
    public abstract Aggregate Commit(ReadOnlyMemory<long> accumulators, IReadOnlyList<AggregatedReport> reports);

    public override string ToString() => Name;
}

/// <summary>Examples × a discount for staleness weigh a report; the commit is the exact weighted mean of the contributions.</summary>
internal sealed class WeightedMean : AggregationRule
{
    public override string Name => "WeightedMean";

    public override Aggregate Commit(ReadOnlyMemory<long> accumulators, IReadOnlyList<AggregatedReport> reports)
    {
        var weighted = reports.Select(report => new WeightedReport(
            Accumulators.Weight(report.Examples, report.Staleness), report.Seeds, report.Contributions)).ToArray();
        return new Aggregate([.. weighted.Select(report => report.Weight)], Accumulators.Commit(accumulators, weighted));
    }
}
