using System.Text.Json;

namespace FedKSeed.EndToEnd.Tests;

/// <summary>Whole runs of which a draw takes reports.</summary>
public sealed class DropoutTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-dropout-").FullName;

    public DropoutTests()
    {
        Directory.CreateDirectory(Data);
        foreach (var client in new[] { "client-1", "client-2", "client-3", "client-4" })
            File.Copy(Path.Combine(Fedkseed.Samples, "data", client + ".jsonl"), Path.Combine(Data, client + ".jsonl"));
        File.WriteAllLines(
            Path.Combine(Data, "held-out.jsonl"), File.ReadLines(Path.Combine(Fedkseed.Samples, "data", "held-out.jsonl")).Take(6));
    }

    private string Data => Path.Combine(_folder, "data");

    /// <summary>Of a deadline of minutes: whoever waited for it would not be back in time.</summary>
    [Fact]
    public async Task A_synchronous_run_waits_for_no_lost_report_and_repeats_with_rates_that_go_by_losses()
    {
        string[] settings =
            ["--synchronous", "--deadline", "00:20:00", "--rounds", "6", "--client-rates", "loss", "--client-rate-window", "2"];
        var (one, two) = (await RunAsync("one", settings), await RunAsync("two", settings));

        Assert.Equal(one.Select(entry => entry.GetRawText()), two.Select(entry => entry.GetRawText()));
        var reports = one.Count(entry => entry.GetProperty("kind").GetString() == "ScalarsReported");
        Assert.InRange(reports, 1, 6 * 4 - 1);
        Assert.All(
            one.Where(entry => entry.GetProperty("kind").GetString() == "ScalarsReported"),
            entry => Assert.InRange(entry.GetProperty("meanLoss").GetDouble(), 0.01, 20));
        var rates = one.Where(entry => entry.GetProperty("kind").GetString() == "SeedsAssigned")
            .GroupBy(entry => entry.GetProperty("round").GetInt32())
            .Select(round => round.Select(entry => entry.GetProperty("learningRate").GetDouble()).Distinct().Count()).ToArray();
        Assert.Equal(1, rates[0]);
        Assert.Contains(rates, count => count > 1);

        var (code, said) = await Fedkseed.RunAsync("verify", "--log", Path.Combine(_folder, "one", "events.log"));
        Assert.True(code == 0, said);
    }

    [Theory]
    [InlineData("--quorum", "0.5")]
    [InlineData("--commit-every", "2")]
    public async Task A_run_by_the_clock_ends_with_the_rounds_that_it_was_to_have(string option, string value)
    {
        var log = await RunAsync("run", [option, value, "--rounds", "4", "--deadline", "00:00:02"]);

        Assert.Equal(4, log.Count(entry => entry.GetProperty("kind").GetString() == "RoundCommitted"));
        Assert.Equal("Completed", log[^1].GetProperty("reason").GetString());
    }

    [Theory]
    [InlineData("1")]
    [InlineData("-0.1")]
    [InlineData("nan")]
    public async Task A_share_that_is_none_is_refused_before_anything_starts(string share)
    {
        var (code, said) = await Fedkseed.RunAsync("run", "--output", Path.Combine(_folder, "none"), "--dropout", share);

        Assert.Equal(2, code);
        Assert.Contains("--dropout", said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder, "none")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>What happened, without times.</summary>
    private async Task<IReadOnlyList<JsonElement>> RunAsync(string name, string[] settings)
    {
        var (code, said) = await Fedkseed.RunAsync(
        [
            "run", "--output", Path.Combine(_folder, name), "--data", Data, "--steps", "4", "--batch", "4", "--evaluate-every", "0",
            "--dropout", "0.4", .. settings,
        ]);
        Assert.True(code == 0, said);
        return [.. File.ReadLines(Path.Combine(_folder, name, "events.log"))
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("event"))];
    }
}
