using OxyPlot;
using OxyPlot.Axes;
using OxyPlot.Series;

namespace FedKSeed.Experiments;

/// <summary>Held-out loss of every arm at its best rate, a point a key and a line at their mean, as SVG.</summary>
public static class LossPlot
{
    private const double Width = 800, RowHeight = 28, Margins = 100, LetterWidth = 7, Gap = 24;

    public static string Of(Experiment experiment, IReadOnlyList<Outcome> outcomes)
    {
        ArgumentNullException.ThrowIfNull(experiment);
        var progress = new Progress(experiment, outcomes);
        // The first arm stands at the top.
        (Arm Arm, double[] Losses)[] rows = [.. experiment.Arms.Reverse()
            .Select(arm => (arm, progress.Of(arm).Select(outcome => outcome.Loss).OfType<double>().ToArray()))
            .Where(row => row.Item2.Length > 0)];
        var labels = LetterWidth * rows.Max(row => (int?)row.Arm.Name.Length).GetValueOrDefault();
        var plot = new PlotModel
        {
            Title = $"{experiment.Name}: held-out loss",
            Background = OxyColors.White,
            // The exporter measures text narrower than browsers write it.
            PlotMargins = new OxyThickness(labels + Gap, double.NaN, Gap, 2 * Gap),
        };
        var arms = new CategoryAxis { Position = AxisPosition.Left, Key = "arms", GapWidth = 0.2 };
        arms.Labels.AddRange(rows.Select(row => row.Arm.Name));
        plot.Axes.Add(arms);
        plot.Axes.Add(new LinearAxis
        {
            Position = AxisPosition.Bottom,
            Title = "nats a token; a point a pool key, a line at their mean",
            AxisTitleDistance = Gap / 2,
            MajorGridlineStyle = LineStyle.Solid,
            MajorGridlineColor = OxyColor.FromRgb(0xE0, 0xE0, 0xE0),
        });
        var keys = new ScatterSeries { MarkerType = MarkerType.Circle, MarkerSize = 4, MarkerFill = OxyColor.FromRgb(0x1F, 0x77, 0xB4) };
        for (var row = 0; row < rows.Length; row++)
        {
            foreach (var loss in rows[row].Losses)
                keys.Points.Add(new ScatterPoint(loss, row));
            var mean = new LineSeries { Color = OxyColor.FromRgb(0xD6, 0x27, 0x28), StrokeThickness = 2 };
            mean.Points.AddRange([new(rows[row].Losses.Average(), row - 0.35), new(rows[row].Losses.Average(), row + 0.35)]);
            plot.Series.Add(mean);
        }
        plot.Series.Add(keys);
        return new SvgExporter { Width = Width, Height = Margins + RowHeight * rows.Length }.ExportToString(plot);
    }
}
