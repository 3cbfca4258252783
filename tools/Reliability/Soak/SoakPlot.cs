using System.Text;

namespace FedKSeed.Reliability.Soak;

/// <summary>Resident memory over the time of a soak, and the reports accepted until then, as SVG.</summary>
internal static class SoakPlot
{
    private const double Width = 900, Left = 60, Right = 200, Top = 20, Panel = 300, Gap = 40, Low = 120;
    private static readonly string[] Colours = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22"];

    public static string Of(SoakReport report)
    {
        var text = new StringBuilder();
        var minutes = report.Duration.TotalMinutes;
        Series[] memories = [.. report.Measures.Services, report.Measures.Broker, report.Measures.Redis];
        text.Append($"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width:F0} {Top + Panel + Gap + Low + 40:F0}" """);
        text.AppendLine("""font-family="sans-serif" font-size="12">""");
        text.AppendLine("""<rect width="100%" height="100%" fill="white"/>""");
        Chart(text, "resident memory, MiB", memories, Top, Panel, minutes, report.Strikes);
        Chart(text, "reports accepted", [report.Measures.Accepted], Top + Panel + Gap, Low, minutes, []);
        text.Append($"""<text x="{(Left + Width - Right) / 2:F0}" y="{Top + Panel + Gap + Low + 32:F0}" text-anchor="middle">""");
        text.AppendLine("minutes; grey lines: faults</text>");
        text.AppendLine("</svg>");
        return text.ToString();
    }

    private static void Chart(
        StringBuilder text, string title, Series[] series, double top, double height, double minutes, IReadOnlyList<SoakStrike> strikes)
    {
        var most = NiceAbove(series.Max(one => one.Most(TimeSpan.Zero)));
        double X(TimeSpan at) => Left + at.TotalMinutes / minutes * (Width - Left - Right);
        double Y(double value) => top + height * (1 - value / most);
        foreach (var strike in strikes)
            text.AppendLine(
                $"""<line x1="{X(strike.At):F1}" x2="{X(strike.At):F1}" y1="{top:F0}" y2="{top + height:F0}" stroke="#e4e4e4"/>""");
        for (var tick = 0; tick <= 4; tick++)
        {
            var value = most * tick / 4;
            text.AppendLine($"""<line x1="{Left:F0}" x2="{Width - Right:F0}" y1="{Y(value):F1}" y2="{Y(value):F1}" stroke="#cccccc"/>""");
            text.AppendLine($"""<text x="{Left - 6:F0}" y="{Y(value) + 4:F1}" text-anchor="end">{value:F0}</text>""");
        }
        for (var minute = 0.0; minute <= minutes + 1e-9; minute += NiceAbove(minutes) / 6)
            text.AppendLine(
                $"""<text x="{X(TimeSpan.FromMinutes(minute)):F1}" y="{top + height + 16:F0}" text-anchor="middle">{minute:0.#}</text>""");
        text.AppendLine($"""<text x="{Left:F0}" y="{top - 6:F0}">{title}</text>""");
        for (var k = 0; k < series.Length; k++)
        {
            var colour = Colours[k % Colours.Length];
            var points = string.Join(' ', series[k].Samples.Select(sample => $"{X(sample.At):F1},{Y(sample.Value):F1}"));
            text.AppendLine($"""<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>""");
            text.AppendLine($"""<text x="{Width - Right + 10:F0}" y="{top + 14 + 18 * k:F0}" fill="{colour}">{series[k].Name}</text>""");
        }
    }

    /// <summary>A round number that is not less.</summary>
    private static double NiceAbove(double value)
    {
        var power = Math.Pow(10, Math.Floor(Math.Log10(Math.Max(value, 1))));
        return new[] { 1.2, 2, 3, 4, 6, 8, 10 }.Select(factor => factor * power).First(nice => nice >= value);
    }
}
