using FedKSeed.Cli.Display;
using FedKSeed.Contracts;
using FedKSeed.Observation;
using Spectre.Console;

namespace FedKSeed.Cli.Tests;

public sealed class DisplayTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly FederationView _start = new() { Rounds = 4 };

    [Fact]
    public void A_round_is_one_plain_line()
    {
        var before = Fold(Started(1), Progress("a", 1, 10), Accepted("a", 1));
        var after = before.After(Committed(1), Noon.AddSeconds(10));

        Assert.Equal(
            "round 1/4: 1 of 2 reports, loss 2.000, 100 B up, 1.0 kB down, 30 s left",
            RoundLine.Of(before, after, Noon.AddSeconds(10)));
        Assert.Null(RoundLine.Of(after, after.After(Progress("b", 1, 3), Noon), Noon));
        Assert.Equal("version 1: held-out loss 1.500, exact match 25.0 %", RoundLine.Of(after, after.After(Evaluated(1), Noon), Noon));
    }

    [Fact]
    public void Of_a_federation_that_only_its_log_tells_of_nothing_is_shown_that_no_log_says()
    {
        var before = (_start with { IsMeasured = false }).After(Started(1), Noon);
        var after = before.After(Accepted("a", 1), Noon).After(Committed(1), Noon.AddSeconds(10));
        using var text = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(text) });

        console.Write(FederationDisplay.Of(after, Noon, 100, 30, "Paused by ada: [why]."));

        Assert.Equal("round 1/4: 0 of 2 reports, 30 s left", RoundLine.Of(before, after, Noon.AddSeconds(10)));
        Assert.Contains("Paused by ada: [why].", text.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("Step", text.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(" B", text.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(60, 24, true)]
    [InlineData(60, 16, false)]
    [InlineData(80, 24, true)]
    [InlineData(120, 40, true)]
    [InlineData(120, 12, false)]
    public void The_live_display_fits_its_terminal(int width, int height, bool hasCurves)
    {
        string[] clients = [.. "abcdefghijklmnopqrstuvwx".Select(letter => $"client-{letter}"), "a", "b"];
        var view = Fold(
            Started(1) with { Participants = clients },
            Progress("a", 1, 10),
            Accepted("a", 1),
            Committed(1),
            Evaluated(1),
            Started(2) with { Participants = clients },
            Progress("b", 2, 3),
            Evaluated(2));
        using var text = new StringWriter();
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Ansi = AnsiSupport.No,
                ColorSystem = ColorSystemSupport.NoColors,
                Out = new AnsiConsoleOutput(text)
            });
        console.Profile.Width = width;

        console.Write(FederationDisplay.Of(view, Noon, width, height));

        var lines = text.ToString().Split('\n');
        Assert.All(lines, line => Assert.True(line.TrimEnd().Length < width, line));
        Assert.Contains(
            lines,
            line => line.StartsWith("Federation", StringComparison.Ordinal) && line.Contains("1/4", StringComparison.Ordinal));
        // The last line feed takes one more, where the cursor stands.
        Assert.InRange(lines.Length, 10, height);
        Assert.Equal(hasCurves, lines.Any(line => line.Contains("Held-out loss", StringComparison.Ordinal)));
        Assert.Matches("[0-9]+ more clients, ", text.ToString());
        Assert.Contains(
            lines,
            line => line.Contains("training", StringComparison.Ordinal) && line.Contains("3/10", StringComparison.Ordinal));
    }

    [Fact]
    public void A_curve_falls_from_the_top_left_to_the_bottom_right()
    {
        var lines = BrailleChart.Lines([new VersionPoint(0, 1), new VersionPoint(10, 0)], 10, 0, 1, 10, 2);

        Assert.Equal(2, lines.Count);
        Assert.All(lines, line => Assert.Equal(10, line.Length));
        Assert.Equal((true, false), (lines[0][0] > '\u2800', lines[1][0] > '\u2800'));
        Assert.Equal((false, true), (lines[0][9] > '\u2800', lines[1][9] > '\u2800'));
    }

    [Fact]
    public void A_curve_that_falls_steeply_has_no_gaps()
    {
        var lines = BrailleChart.Lines([new VersionPoint(0, 1), new VersionPoint(1, 0), new VersionPoint(40, 0)], 40, 0, 1, 10, 4);

        // The first column has dots in every line, from the top to the bottom.
        Assert.All(lines, line => Assert.True(line[0] > '\u2800'));
    }

    private FederationView Fold(params object[] messages) => messages.Aggregate(_start, (view, message) => view.After(message, Noon));

    private static RoundStarted Started(int round) => new() { Federation = "f", Round = round, Participants = ["a", "b"] };

    private static LocalProgress Progress(string client, int round, int step) => new()
    {
        Federation = "f",
        Assignment = new AssignmentKey(round, client),
        Worker = "w",
        Step = step,
        Steps = 10,
        Loss = 2,
        AssignmentBytes = 1000,
    };

    private static ReportAccepted Accepted(string client, int round) =>
        new() { Federation = "f", Assignment = new AssignmentKey(round, client), ReportBytes = 100 };

    private static RoundCommitted Committed(int round) => new() { Federation = "f", Round = round, Version = round, Reports = 2 };

    private static ModelEvaluated Evaluated(int version) =>
        new() { Federation = "f", Version = version, Examples = 4, Loss = 1.5, ExactMatch = 0.25, RougeL = 0.5 };
}
