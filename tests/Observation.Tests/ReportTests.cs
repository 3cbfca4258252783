using System.Text.Json;
using System.Text.RegularExpressions;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rates;
using FedKSeed.Tests;
using FedKSeed.Versions;

namespace FedKSeed.Observation.Tests;

public sealed partial class ReportTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly SampleLog _sample = new();

    [Fact]
    public void The_report_holds_its_data_and_needs_nothing_from_anywhere()
    {
        var html = HtmlReport.Of(LogFile.Read(_sample.Log), Metrics(), Summary());

        Assert.DoesNotContain("{{", PlaceholderArea().Replace(html, ""), StringComparison.Ordinal);
        Assert.DoesNotMatch(@"https?://", Comments().Replace(html, ""));
        Assert.DoesNotMatch(@"(src|href)\s*=", Script().Replace(html, ""));
        var data = JsonDocument.Parse(Data().Match(html).Groups[1].Value).RootElement;
        Assert.Equal(4, data.GetProperty("versions").GetArrayLength());
        Assert.Equal(1.5, data.GetProperty("versions")[2].GetProperty("heldOutLoss").GetDouble());
        Assert.Equal([1, 1, 1], data.GetProperty("participation")[0].EnumerateArray().Select(value => value.GetInt32()));
        Assert.Equal(64, data.GetProperty("importance").GetArrayLength());
        Assert.Equal(3 * 2 * 5, data.GetProperty("draws").EnumerateArray().Sum(value => value.GetInt32()));
    }

    [Fact]
    public void Text_from_data_cannot_become_markup()
    {
        var html = HtmlReport.Of(LogFile.Read(_sample.Log), Metrics(), Summary("</script><script>alert(1)</script>{{settings}}"));

        Assert.DoesNotContain("<script>alert", html, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;alert(1)", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Late_and_missing_reports_are_told_apart()
    {
        var opened = _sample.Settings with { Quorum = 0.5 };
        var state = new FederationState();
        var events = new List<LogEvent>();
        Append(FederationDecisions.Open(state, opened));
        Append(FederationDecisions.StartRound(state, 1, ["a", "b", "c"], Start));
        var late = Report("b");
        Append(FederationDecisions.Commit(state, 1, RoundEnd.Deadline, [Report("a")], Start));
        Append(FederationDecisions.StartRound(state, 2, ["a"], Start));
        Append(FederationDecisions.Commit(state, 2, RoundEnd.Quorum, [late], Start));
        _sample.WriteChain(events);

        var data = ReportData.Of(LogFile.Read(_sample.Log), new RunMetrics(), Summary());

        Assert.Equal(["a", "b", "c"], data.Clients);
        Assert.Equal([(int)Participation.InTime, (int)Participation.Missing], data.Participation[0]);
        Assert.Equal([(int)Participation.Late, (int)Participation.Absent], data.Participation[1]);
        Assert.Equal([(int)Participation.Missing, (int)Participation.Absent], data.Participation[2]);

        ScalarsReportedEntry Report(string client) => state.Assignments[new AssignmentKey(1, client)] is var assignment
            ? new ScalarsReportedEntry(1, client, 0, 10, new float[assignment.Seeds.Length]) : null!;

        void Append(IReadOnlyList<LogEvent> next)
        {
            state = FederationFold.Fold(state, EventLog.Write(state.Head, Start, next).Entries);
            events.AddRange(next);
        }
    }

    [Fact]
    public void Factors_of_learning_rates_are_told_where_clients_have_their_own()
    {
        Assert.Empty(ReportData.Of(LogFile.Read(_sample.Log), new RunMetrics(), Summary()).ClientRate);
        var state = new FederationState();
        var events = new List<LogEvent>();
        Append(FederationDecisions.Open(state, _sample.Settings with { ClientRates = ClientRateRule.Loss }));
        Append(FederationDecisions.StartRound(state, 1, ["a", "b"], Start));
        var reports = new[] { ("a", 1f), ("b", 3f) }.Select(
            item => new ScalarsReportedEntry(1, item.Item1, 0, 10, new float[5], MeanLoss: item.Item2));
        Append(FederationDecisions.Commit(state, 1, RoundEnd.Quorum, reports, Start));
        Append(FederationDecisions.StartRound(state, 2, ["a", "c"], Start));
        _sample.WriteChain(events);

        var data = ReportData.Of(LogFile.Read(_sample.Log), new RunMetrics(), Summary());

        Assert.Equal(["a", "b", "c"], data.Clients);
        Assert.Equal([[1, 0.5], [1, null], [null, 1]], data.ClientRate);

        void Append(IReadOnlyList<LogEvent> next)
        {
            state = FederationFold.Fold(state, EventLog.Write(state.Head, Start, next).Entries);
            events.AddRange(next);
        }
    }

    [Fact]
    public void Metrics_survive_a_resumed_run()
    {
        var first = Metrics();
        foreach (var (client, loss) in new[] { ("client-1", 1.25), ("client-2", 1.75) })
        {
            first.Apply(Progress(client, loss));
            first.Apply(Accepted(client, 35));
        }
        var second = new RunMetrics();
        second.TakeOver(
            [.. first.ToCsv(), "2026-01-01T00:00:00,4,torn"], [RunMetrics.ClientHeader, .. first.TakeClientRows(), "3,client-1,0,torn"]);
        foreach (var entry in LogFile.Read(_sample.Log))
            second.Apply(entry);

        Assert.Equal(first.Rows, second.Rows);
        Assert.Equal((1.5, 2000L, 70L), (second.Rows[1].TrainingLoss!.Value, second.Rows[1].BytesDown, second.Rows[1].BytesUp));
        Assert.Equal((1.25, 1.75, null), (second.LossOf(2, "client-1"), second.LossOf(2, "client-2"), second.LossOf(3, "client-1")));
        Assert.Equal(first.ToCsv(), second.ToCsv());
        Assert.Empty(first.TakeClientRows());
        Assert.Empty(second.TakeClientRows());
    }

    [Fact]
    public void The_round_in_which_a_run_was_killed_makes_no_dip()
    {
        var first = new RunMetrics();
        first.Apply(Progress("client-1", 1.25));
        first.Apply(Accepted("client-1", 35));
        var written = first.TakeClientRows();
        var second = new RunMetrics();
        second.TakeOver([], [RunMetrics.ClientHeader, .. written]);
        foreach (var entry in LogFile.Read(_sample.Log))
            second.Apply(entry);

        // Half of round 2 was measured by the process that was killed, the other half by nobody.
        Assert.False(second.Rows[1].IsWhole);
        Assert.Null(ReportData.Of(LogFile.Read(_sample.Log), second, Summary()).Versions[2].BytesUp);

        second.Apply(Progress("client-2", 1.75));
        second.Apply(Accepted("client-2", 40));

        // Now the other half is measured by the process that resumed it.
        Assert.True(second.Rows[1].IsWhole);
        var whole = ReportData.Of(LogFile.Read(_sample.Log), second, Summary()).Versions[2];
        Assert.Equal((1.5, 75L, 2000L), (whole.TrainingLoss!.Value, whole.BytesUp!.Value, whole.BytesDown!.Value));
    }

    [Fact]
    public void Version_0_is_a_row_of_the_metrics_like_the_others()
    {
        var rows = Metrics().ToCsv().Skip(1).Select(line => line.Split(',')).ToArray();

        Assert.Equal(["0", "1", "2", "3"], rows.Select(row => row[1]));
        Assert.All(rows, row => Assert.Equal(11, row.Length));
        Assert.Equal(["0", "0", "", "", "", ""], rows[0][2..8]);
    }

    [Fact]
    public void The_report_says_what_each_client_lost_and_what_to_change()
    {
        var metrics = Metrics();
        metrics.Apply(Progress("client-2", 1.75));
        var summary = Summary() with { Advice = ["Try this & that."] };

        var html = HtmlReport.Of(LogFile.Read(_sample.Log), metrics, summary);

        Assert.Contains("<h2>What to change</h2>\n<ul><li>Try this &amp; that.</li></ul>", html, StringComparison.Ordinal);
        var losses = JsonDocument.Parse(Data().Match(html).Groups[1].Value).RootElement.GetProperty("clientLoss");
        Assert.Equal((JsonValueKind.Null, 1.75), (losses[0][1].ValueKind, losses[1][1].GetDouble()));
        Assert.Contains("federation.stepsPerRound", html, StringComparison.Ordinal);
        Assert.DoesNotContain("{{advice}}", html, StringComparison.Ordinal);
    }

    public void Dispose() => _sample.Dispose();

    private RunMetrics Metrics()
    {
        var metrics = new RunMetrics();
        foreach (var entry in LogFile.Read(_sample.Log))
            metrics.Apply(entry);
        return metrics;
    }

    private static LocalProgress Progress(string client, double loss) => new()
    {
        Federation = "f",
        Assignment = new AssignmentKey(2, client),
        Worker = "w",
        Step = 5,
        Steps = 5,
        Loss = loss,
        AssignmentBytes = 1000,
    };

    private static ReportAccepted Accepted(string client, long bytes) =>
        new() { Federation = "f", Assignment = new AssignmentKey(2, client), ReportBytes = bytes };

    private static RunSummary Summary(string answer = "an answer")
    {
        var score = new HeldOutScore(10, 2, 0.1, 0.2, [new SampleAnswer("a question", "wanted", answer)]);
        return new RunSummary(FederationEnd.Completed, 3, 3, 6, score, score with { Loss = 1 }, 1000, 15_000, 4_000_000, 60, "/results");
    }

    [GeneratedRegex(@"<!--.*?-->|/\*.*?\*/", RegexOptions.Singleline)]
    private static partial Regex Comments();

    [GeneratedRegex("<script>.*?</script>|<style>.*?</style>", RegexOptions.Singleline)]
    private static partial Regex Script();

    [GeneratedRegex("<script.*?</script>|<style>.*?</style>", RegexOptions.Singleline)]
    private static partial Regex PlaceholderArea();

    [GeneratedRegex("id=\"data\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Data();
}
