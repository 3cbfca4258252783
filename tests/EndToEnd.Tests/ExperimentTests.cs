namespace FedKSeed.EndToEnd.Tests;

public sealed class ExperimentTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task One_that_was_killed_goes_on_where_it_was_and_leaves_a_table_a_plot_and_logs_that_verify()
    {
        string[] command = ["experiment", "client-rates", "--rounds", "1", "--keys", "1", "--output", _folder];
        using (var first = Fedkseed.Start(command))
        {
            await first.UntilAsync("2 of 6");
            first.Kill();
            await first.EndAsync();
        }
        var outcomes = Path.Combine(_folder, "outcomes.jsonl");
        var done = File.ReadAllLines(outcomes);

        var (code, said) = await Fedkseed.RunAsync(command);

        Assert.True(code == 0, said);
        Assert.DoesNotContain("2 of 6", said, StringComparison.Ordinal);
        Assert.Contains("6 of 6: drift, proportional, key 1, η 0.0003: loss ", said, StringComparison.Ordinal);
        Assert.Equal(done, File.ReadLines(outcomes).Take(done.Length));
        var page = File.ReadAllText(Path.Combine(_folder, "results.md"));
        foreach (var arm in new[] { "none", "loss, fedmezo", "drift, fedmezo", "random", "loss, proportional", "drift, proportional" })
            Assert.Contains($"| {arm} | 0.0003 |", page, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_folder, "loss.svg")));
        var logs = Directory.GetFiles(Path.Combine(_folder, "runs"), "events.log", SearchOption.AllDirectories);
        Assert.Equal(6, logs.Length);
        Assert.Equal(0, (await Fedkseed.RunAsync("verify", "--log", logs[^1])).ExitCode);
    }

    [Fact]
    public async Task An_experiment_that_there_is_not_is_answered_with_those_that_there_are()
    {
        var (code, said) = await Fedkseed.RunAsync("experiment", "peff");

        Assert.Equal(2, code);
        Assert.Contains("peft or client-rates", said, StringComparison.Ordinal);
    }
}
