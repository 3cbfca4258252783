using System.Globalization;
using FedKSeed.Federation.Log;
using FedKSeed.Observation;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FedKSeed.Cli.Display;

/// <summary>What a run came to, as a picture of text. Pure.</summary>
public static class SummaryDisplay
{
    private const int LongestCell = 60;

    public static IRenderable Of(RunSummary summary, int width)
    {
        ArgumentNullException.ThrowIfNull(summary);
        width = Math.Min(width, 100) - 1;
        return new Rows(
            [
                Text.Empty, Outcome(summary),
                .. summary.Advice.Select(advice => new Padder(new Text($"• {advice}"), new Padding(2, 0, 0, 0))),
                Scores(summary), Answers(summary, width), Traffic(summary), Text.Empty, Where(summary),
            ]);
    }

    /// <summary>What a federation came to, where only its log is at hand: one line.</summary>
    /// <param name="duration">From its opening to its end.</param>
    public static string LineOf(FederationClosedEntry closed, int rounds, long reports, TimeSpan duration)
    {
        ArgumentNullException.ThrowIfNull(closed);
        var how = closed.Reason switch
        {
            FederationEnd.Completed => "Completed",
            FederationEnd.TargetReached => "Target loss reached",
            FederationEnd.TimeIsUp => "Time is up",
            FederationEnd.Stopped => $"Stopped by {closed.Actor}",
            _ => "Diverged",
        };
        return Invariant($"{how} after {rounds} rounds and {reports} reports in {Quantity.Time(duration)}. ")
            + Invariant($"Version {closed.Version} was kept.");
    }

    private static Markup Outcome(RunSummary summary)
    {
        var work = Invariant(
            $"after {summary.Rounds} rounds and {summary.Reports} reports in {Quantity.Time(TimeSpan.FromSeconds(summary.Seconds))}");
        var kept = Invariant($"Version {summary.Version} was kept{(summary.Why.Length > 0 ? $": {summary.Why}" : "")}.");
        return new Markup(summary.Reason switch
        {
            FederationEnd.Completed => $"[bold green]Completed[/] {work}. {kept}",
            FederationEnd.TargetReached => $"[bold green]Target loss reached[/] {work}. {kept}",
            FederationEnd.TimeIsUp => $"[bold green]Time is up[/] {work}. {kept}",
            FederationEnd.Stopped => $"[bold yellow]Stopped by an operator[/] {work}. {kept}",
            _ => $"[bold red]Diverged[/] {work}: the loss left its bounds. {kept}",
        });
    }

    private static Table Scores(RunSummary summary)
    {
        var table = new Table { Border = TableBorder.Simple }
            .AddColumn(Invariant($"Held-out, {summary.After.Examples} examples"))
            .AddColumn(new TableColumn("before").RightAligned()).AddColumn(new TableColumn("after").RightAligned());
        table.AddRow("loss", Quantity.Loss(summary.Before.Loss), Quantity.Loss(summary.After.Loss));
        table.AddRow("exact match", Quantity.Share(summary.Before.ExactMatch), Quantity.Share(summary.After.ExactMatch));
        return table.AddRow("ROUGE-L", Quantity.Share(summary.Before.RougeL), Quantity.Share(summary.After.RougeL));
    }

    private static Table Answers(RunSummary summary, int width)
    {
        var table = new Table { Border = TableBorder.Simple, Width = width };
        foreach (var name in new[] { "Question", "wanted", "before", "after" })
            table.AddColumn(name);
        foreach (var (before, after) in summary.Before.Answers.Zip(summary.After.Answers))
            table.AddRow(Cell(after.Question), Cell(after.Wanted), Cell(before.Answer), Cell(after.Answer));
        return table;
    }

    /// <summary>An untrained model may answer anything, at any length.</summary>
    private static Text Cell(string text)
    {
        var line = string.Concat(text.Trim().Select(character => char.IsControl(character) ? ' ' : character));
        return new Text(line.Length <= LongestCell ? line : line[..LongestCell] + "…");
    }

    private static Table Traffic(RunSummary summary)
    {
        var table = new Table { Border = TableBorder.Simple }
            .AddColumn("A client in a round")
            .AddColumn(new TableColumn("up").RightAligned()).AddColumn(new TableColumn("down").RightAligned());
        table.AddRow("FedKSeed, measured", Quantity.Bytes(summary.BytesUp), Quantity.Bytes(summary.BytesDown));
        return table.AddRow("FedAvg, the model", Quantity.Bytes(summary.FedAvgBytes), Quantity.Bytes(summary.FedAvgBytes));
    }

    private static Rows Where(RunSummary summary) => new(
        new Text($"Model    {Path.Combine(summary.Folder, "model")}"),
        new Text($"Report   {Path.Combine(summary.Folder, "report.html")}"),
        new Text($"Log      {Path.Combine(summary.Folder, "events.log")}"));

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
