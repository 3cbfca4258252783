using System.Globalization;
using System.Text;

namespace FedKSeed.Experiments;

/// <summary>The outcomes of an experiment as a page of Markdown: every arm at its best rate, with the spread over the keys.</summary>
public static class ResultsPage
{
    public const string Plot = "loss.svg";

    public static string Of(Experiment experiment, IReadOnlyList<Outcome> outcomes)
    {
        ArgumentNullException.ThrowIfNull(experiment);
        var progress = new Progress(experiment, outcomes);
        var baseline = progress.Of(experiment.Baseline);
        var page = new StringBuilder();
        page.AppendLine($"# fedkseed experiment {experiment.Name}").AppendLine();
        page.AppendLine(experiment.Question).AppendLine();
        page.AppendLine(Said(experiment, progress)).AppendLine();
        page.AppendLine($"![Held-out loss of every arm]({Plot})").AppendLine();
        var columns = Columns(experiment);
        page.AppendLine($"| | {string.Join(" | ", columns.Select(column => column.Title))} |");
        page.AppendLine($"|---|{string.Concat(columns.Select(_ => "---:|"))}");
        foreach (var arm in experiment.Arms)
            if (progress.Of(arm) is { Count: > 0 } own)
                page.AppendLine($"| {arm.Name} | {string.Join(" | ", columns.Select(column => column.Cell(arm, own, baseline)))} |");
        return page.ToString();
    }

    private static string Said(Experiment experiment, Progress progress)
    {
        var common = experiment.Common;
        var data = experiment.Alpha is { } alpha
            ? $"The training data is shared out anew to the clients for each key, by task (Dirichlet, α = {Text(alpha)}). "
            : "";
        var left = progress.Next() is null ? "" : $" Not whole yet: {progress.Done} of {progress.Total} runs.";
        return $"{common.Rounds} rounds of {common.StepsPerRound} steps, batches of {common.BatchSize}, in lockstep. {data}"
            + $"Rates are tried with pool key 1; an arm's best goes on with keys 2 to {experiment.Keys}. Losses are held-out, nats a "
            + $"token, after the last round: mean over the keys ± their standard deviation. Steps are timed while others run.{left}";
    }

    private sealed record Column(string Title, Func<Arm, IReadOnlyList<Outcome>, IReadOnlyList<Outcome>, string> Cell);

    private static Column[] Columns(Experiment experiment)
    {
        Column[] learning =
        [
            new("η", (arm, own, _) => Text(own[0].Rate) + (IsAtEdge(arm, own[0].Rate) ? " (the last tried)" : "")),
            new("loss", (_, own, _) => Spread(own, one => one.Loss)),
            new("× first", (_, own, baseline) => Ratio(own, baseline, one => one.Loss)),
            new("exact match", (_, own, _) => own.Average(one => one.ExactMatch).ToString("P1", CultureInfo.InvariantCulture)),
        ];
        if (experiment.Alpha is not null)
            return
            [
                .. learning,
                new("worst client", (_, own, _) => Spread(own, one => one.WorstClient)),
                new("× first", (_, own, baseline) => Ratio(own, baseline, one => one.WorstClient)),
                new("keys better", (_, own, baseline) => Better(own, baseline, one => one.WorstClient)),
            ];
        return
        [
            .. learning,
            new("numbers tuned", (_, own, _) => own[0].Trained.ToString("N0", CultureInfo.InvariantCulture)),
            new("up", (_, own, _) => Kilobytes(own.Average(one => one.BytesUp))),
            new("down", (_, own, _) => Kilobytes(own.Average(one => one.BytesDown))),
            new("step", (_, own, _) => Milliseconds(own.Min(one => one.StepSeconds))),
            new("rebuild", (_, own, _) => Milliseconds(own.Min(one => one.RebuildSeconds))),
        ];
    }

    /// <summary>Whether a better rate may lie beyond those tried.</summary>
    private static bool IsAtEdge(Arm arm, double rate) => arm.Rates.Count > 1 && (rate == arm.Rates[0] || rate == arm.Rates[^1]);

    private static string Spread(IReadOnlyList<Outcome> own, Func<Outcome, double?> by)
    {
        if (own.Any(one => by(one) is null))
            return $"diverged ({own.Count(one => by(one) is null)} of {own.Count} keys)";
        double[] values = [.. own.Select(one => by(one)!.Value)];
        var mean = values.Average();
        return values.Length == 1
            ? string.Create(CultureInfo.InvariantCulture, $"{mean:f3}")
            : string.Create(
                CultureInfo.InvariantCulture,
                $"{mean:f3} ± {Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (values.Length - 1)):f3}");
    }

    private static string Ratio(IReadOnlyList<Outcome> own, IReadOnlyList<Outcome> baseline, Func<Outcome, double?> by) =>
        own.Average(by) / baseline.Average(by) is { } ratio ? ratio.ToString("f3", CultureInfo.InvariantCulture) : "–";

    /// <summary>With how many keys an arm is below the first one.</summary>
    private static string Better(IReadOnlyList<Outcome> own, IReadOnlyList<Outcome> baseline, Func<Outcome, double?> by) =>
        own.SequenceEqual(baseline)
            ? "–"
            : $"{own.Count(one => by(one) < baseline.Where(other => other.Key == one.Key).Select(by).FirstOrDefault())} of {own.Count}";

    private static string Kilobytes(double bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1000:f1} kB");

    private static string Milliseconds(double seconds) => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:f1} ms");

    private static string Text(double value) => value.ToString("0.#####", CultureInfo.InvariantCulture);
}
