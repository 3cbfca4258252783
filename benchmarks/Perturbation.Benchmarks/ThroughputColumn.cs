using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace FedKSeed.Perturbation.Benchmarks;

/// <summary>Work per second, from the mean time of an operation, which is one element in every benchmark here.</summary>
/// <param name="seeds">Seeds that an element is multiplied with in one operation.</param>
internal sealed class ThroughputColumn(Func<BenchmarkCase, int> seeds) : IColumn
{
    public string Id => nameof(ThroughputColumn);
    public string ColumnName => "Throughput";
    public string Legend => "10⁹ element × seed pairs, or elements, per second";
    public bool AlwaysShow => true;
    public ColumnCategory Category => ColumnCategory.Custom;
    public int PriorityInCategory => 0;
    public bool IsNumeric => true;
    public UnitType UnitType => UnitType.Dimensionless;

    public bool IsAvailable(Summary summary) => true;
    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => false;
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    public string GetValue(Summary summary, BenchmarkCase benchmarkCase)
    {
        var nanoseconds = summary[benchmarkCase]?.ResultStatistics?.Mean;
        return nanoseconds is double mean ? string.Create(CultureInfo.InvariantCulture, $"{seeds(benchmarkCase) / mean:0.000} G/s") : "?";
    }
}
