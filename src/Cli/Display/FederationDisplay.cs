using System.Collections.Immutable;
using System.Globalization;
using FedKSeed.Observation;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace FedKSeed.Cli.Display;

/// <summary>A federation's view as a picture of text. Pure.</summary>
public static class FederationDisplay
{
    private const int ChartHeight = 4;
    private const int AxisWidth = 8;
    private const int MostClients = 16;

    /// <summary>Lines of everything but the clients, the last one in two, and the one that the cursor is in.</summary>
    private const int OtherLines = 16;

    /// <summary>Below this the curves go, so that there is room for clients.</summary>
    private const int RoomForCurves = 20;

    /// <summary>Below this there is no room for the bytes of each client; those of all of them are in the last line.</summary>
    private const int RoomForBytes = 76;

    /// <summary>What the last line ends with where this process runs the federation.</summary>
    public const string OfRun = "Ctrl-C stops; the run can be resumed.";

    /// <param name="height">Lines of the terminal: what is beyond them would hide the rest.</param>
    /// <param name="note">For whoever looks: the end of the last line, while the federation goes on.</param>
    public static IRenderable Of(FederationView view, DateTimeOffset now, int width, int height, string note = OfRun)
    {
        ArgumentNullException.ThrowIfNull(view);
        var inner = Math.Min(width, 100) - 1;
        var hasCurves = height >= RoomForCurves;
        var shown = Math.Clamp(height - OtherLines + (hasCurves ? 0 : ChartHeight + 2), 1, MostClients);
        IRenderable[] curves = hasCurves ? [Curves(view, inner), Text.Empty] : [];
        return new Rows(
            [Head(view, now, inner), Text.Empty, .. curves, ClientTable(view, now, inner, shown), Foot(view, inner, shown, note)]);
    }

    private static Grid Head(FederationView view, DateTimeOffset now, int width)
    {
        var bar = Math.Max(10, width - 46);
        var grid = new Grid().AddColumn(Column(10)).AddColumn(Column(10)).AddColumn(Column(bar)).AddColumn(Column(20));
        var left = view.Remaining(now) is { } remaining ? $"{Quantity.Time(remaining)} left" : "";
        if (view.Closed is { } reason)
            left = reason;
        grid.AddRow(
            new Markup("[bold]Federation[/]"), new Text(Invariant($"{view.Version}/{view.Rounds}")),
            Bar((double)view.Version / view.Rounds, bar), new Text(left));
        grid.AddRow(
            new Markup("[bold]Round[/]"), new Text(view.Round == 0 ? "" : Invariant($"{view.Round}")),
            Bar(view.RoundProgress, bar),
            new Text(view.Participants.Count == 0 ? "waiting for clients" : Invariant($"{view.Reported} of {view.Assigned} reported")));
        return grid;
    }

    /// <summary>Columns of a fixed width: nothing moves while numbers change.</summary>
    private static GridColumn Column(int width) => new GridColumn { Width = width, NoWrap = true }.PadLeft(0).PadRight(2);

    private static Markup Bar(double share, int width)
    {
        var filled = (int)Math.Round(Math.Clamp(share, 0, 1) * width);
        return new Markup($"[green]{new string('━', filled)}[/][grey]{new string('─', width - filled)}[/]");
    }

    private static Columns Curves(FederationView view, int width)
    {
        var each = (width - 4) / 2;
        var points = view.HeldOutLoss.Count > 1 ? view.HeldOutLoss : view.TrainingLoss;
        var name = view.HeldOutLoss.Count > 1 ? "Held-out loss" : "Training loss";
        var top = points.IsEmpty ? 1 : points.Max(point => point.Value);
        return new Columns(
            Curve(name, points, view.Rounds, top, loss => Quantity.Loss(loss), "yellow", each),
            Curve("Exact match", view.ExactMatch, view.Rounds, 1, Quantity.Share, "aqua", each))
        { Expand = false, Padding = new Padding(0, 0, 2, 0) };
    }

    private static Rows Curve(
        string name, ImmutableList<VersionPoint> points, int last, double top, Func<double, string> format, string colour, int width)
    {
        var now = points.Count == 0 ? "" : format(points[^1].Value);
        var lines = BrailleChart.Lines(points, last, 0, top, width - AxisWidth, ChartHeight);
        var rows = new List<IRenderable> { new Markup($"[bold]{name}[/] [{colour}]{now}[/]") };
        for (var k = 0; k < lines.Count; k++)
        {
            var axis = k == 0 ? format(top) : k == lines.Count - 1 ? format(0) : "";
            rows.Add(new Markup($"[grey]{axis,AxisWidth - 1}[/] [{colour}]{lines[k]}[/]"));
        }
        return new Rows(rows);
    }

    private static Table ClientTable(FederationView view, DateTimeOffset now, int width, int shown)
    {
        var table = new Table { Border = TableBorder.Simple, Width = view.IsMeasured ? width : null, ShowHeaders = true };
        table.AddColumn(new TableColumn("[bold]Client[/]").NoWrap());
        table.AddColumn(new TableColumn("[bold]State[/]") { Width = 9 }.NoWrap());
        (string Name, int Width)[] measured = !view.IsMeasured ? []
            : width < RoomForBytes ? [("Step", 9), ("Loss", 7)]
            : [("Step", 9), ("Loss", 7), ("Up", 9), ("Down", 9)];
        foreach (var (name, wide) in measured)
            table.AddColumn(new TableColumn($"[bold]{name}[/]") { Width = wide }.NoWrap().RightAligned());
        foreach (var client in view.Clients.Values.Take(shown))
        {
            var (word, colour) = Describe(FederationView.ActivityOf(client, now));
            IRenderable[] cells =
            [
                new Text(client.Name), new Markup($"[{colour}]{word}[/]"),
                new Text(client.Steps == 0 ? "" : Invariant($"{client.Step}/{client.Steps}")), new Text(Quantity.Loss(client.Loss)),
                new Text(Quantity.Bytes(client.BytesUp)), new Text(Quantity.Bytes(client.BytesDown)),
            ];
            table.AddRow(cells[..(2 + measured.Length)]);
        }
        return table;
    }

    private static Markup Foot(FederationView view, int width, int shown, string note)
    {
        var more = view.Clients.Count > shown ? Invariant($"{view.Clients.Count - shown} more clients, ") : "";
        var moved = $"{Quantity.Bytes(view.BytesUp)} up and {Quantity.Bytes(view.BytesDown)} down in all.";
        var all = view.IsMeasured ? more + moved : more.TrimEnd(' ', ',');
        var how = view.Closed is null ? note : "";
        var text = all.Length > 0 && how.Length > 0 ? $"{all} {how}" : all + how;
        // Two lines at most.
        return new Markup($"[grey]{Markup.Escape(text.Length <= 2 * width - 10 ? text : text[..(2 * width - 11)] + "…")}[/]");
    }

    private static (string Word, string Colour) Describe(ClientActivity activity) => activity switch
    {
        ClientActivity.Training => ("training", "yellow"),
        ClientActivity.Reported => ("reported", "green"),
        ClientActivity.Rejected => ("rejected", "red"),
        ClientActivity.Gone => ("gone", "red"),
        _ => ("idle", "grey"),
    };

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
