using System.Globalization;
using FedKSeed.Bench;
using FedKSeed.Observation;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FedKSeed.Cli.Display;

/// <summary>A table of what was measured.</summary>
internal static class BenchDisplay
{
    public static IRenderable Of(BenchReport report)
    {
        var table = new Table().Border(TableBorder.Rounded);
        foreach (var (column, alignment) in new[]
        {
            ("", Justify.Left), ("time", Justify.Right), ("GB/s", Justify.Right), ("G pairs/s", Justify.Right), ("of copy", Justify.Right),
            ("torch loop", Justify.Right), ("times", Justify.Right), ("scalar loop", Justify.Right), ("times", Justify.Right),
            ("measured on", Justify.Left),
        })
            table.AddColumn(new TableColumn(column) { Alignment = alignment, NoWrap = true });
        table.AddRow("memory copy", "", Giga(report.CopyBytesPerSecond), "", "100 %", "", "", "", "", "");
        foreach (var row in report.Rows)
            table.AddRow(
                row.Operation, Time(row.Seconds), Giga(row.BytesPerSecond), Giga(row.PairsPerSecond), Percent(row.ShareOfCopy),
                Time(row.NaiveSeconds), Times(row.NaiveSeconds, row), Time(row.ScalarSeconds), Times(row.ScalarSeconds, row), row.Measured);
        var notes = $"Loops extrapolated. {report.Baselines}."
            + (report.LoadAverage >= report.Threads ? $" {Crowded}" : "");
        return new Rows(new Text(Headline(report)), table, new Text(notes));
    }

    public static IRenderable Of(WholeRebuildReport report)
    {
        var lines = new List<IRenderable>
        {
            new Text(string.Create(
                CultureInfo.InvariantCulture,
                $"{report.Machine}; {report.Path}, {report.Threads} threads{Load(report.LoadAverage)}; shape {report.Shape}: "
                    + $"{report.Weights / 1e6:F0} M weights, BF16, K = {report.Seeds}")),
            new Text(string.Create(
                CultureInfo.InvariantCulture,
                $"rebuilt in {Time(report.Seconds)}: {Giga(report.PairsPerSecond)} G pairs/s; at most "
                    + $"{Quantity.Bytes(report.PeakMemoryBytes)} of memory")),
        };
        if (report.LoadAverage >= report.Threads)
            lines.Add(new Text(Crowded));
        return new Rows(lines);
    }

    private const string Crowded = "Other programs were at work: the machine alone is quicker.";

    private static string Load(double? average) =>
        average is { } load ? string.Create(CultureInfo.InvariantCulture, $", load average {load:F1} before") : "";

    private static string Headline(BenchReport report) => string.Create(
        CultureInfo.InvariantCulture,
        $"{report.Machine}; {report.Path}, {report.Threads} threads{Load(report.LoadAverage)}; "
            + $"shape {report.Shape}: {report.Weights / 1e6:F0} M weights, {report.DataType}, K = {report.Seeds}, {report.Tokens} tokens");

    private static string Giga(double value) => (value / 1e9).ToString(value < 1e10 ? "F2" : "F1", CultureInfo.InvariantCulture);

    private static string Percent(double share) => $"{(share * 100).ToString(share < 0.1 ? "G2" : "F0", CultureInfo.InvariantCulture)} %";

    private static string Times(double? seconds, BenchRow row) =>
        seconds is { } other ? $"{(other / row.Seconds).ToString("G3", CultureInfo.InvariantCulture)} ×" : "";

    /// <summary>Three digits, whatever the unit.</summary>
    internal static string Time(double? seconds) => seconds switch
    {
        null => "",
        < 1e-3 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e6:F0} µs"),
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1e3:G3} ms"),
        < 600 => string.Create(CultureInfo.InvariantCulture, $"{seconds:G3} s"),
        _ => Quantity.Time(TimeSpan.FromSeconds(seconds.Value)),
    };
}
