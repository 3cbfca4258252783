using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace FedKSeed.Perturbation.Benchmarks;

/// <summary>How many elements, or element × seed pairs, one call of a benchmark handles.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class WorkAttribute(long count, string unit) : Attribute
{
    public long Count { get; } = count;
    public string Unit { get; } = unit;
}

/// <summary>Work per second, from the mean time.</summary>
internal sealed class ThroughputColumn : IColumn
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
        double? nanoseconds = summary[benchmarkCase]?.ResultStatistics?.Mean;
        return benchmarkCase.Descriptor.WorkloadMethod.GetCustomAttributes(typeof(WorkAttribute), false) is [WorkAttribute work] && nanoseconds is double mean
            ? string.Create(CultureInfo.InvariantCulture, $"{work.Count / mean:0.###} G {work.Unit}/s")
            : "?";
    }
}
