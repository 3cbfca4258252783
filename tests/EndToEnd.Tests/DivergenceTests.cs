namespace FedKSeed.EndToEnd.Tests;

public class DivergenceTests
{
    /// <summary>Scalars beyond every limit once had their reports refused, and the round then waited for its deadline of minutes.</summary>
    [Fact]
    public async Task A_run_that_diverges_ends_soon_says_so_and_keeps_its_last_good_version()
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-diverges-").FullName;
        try
        {
            var (code, said) = await Fedkseed.RunAsync(
                "run", "--learning-rate", "0.05", "--rounds", "5", "--steps", "8", "--evaluate-every", "1", "--evaluation-limit", "8",
                "--output", Path.Combine(folder, "run"));

            Assert.True(code == 1, said);
            var sentence = string.Join(' ', said.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
            Assert.Contains("Diverged after", sentence, StringComparison.Ordinal);
            Assert.Contains(
                "Version 0 was kept: it has the least held-out loss of those evaluated", sentence, StringComparison.Ordinal);
            // A rate to try that is not the one that diverged, and by how much the clients differ.
            Assert.Matches(
                "Try --learning-rate 0\\.000[1-9]: with 0\\.05 a client's first step moved the weights [0-9]{3,} times", sentence);
            Assert.Matches("No client stood out|Look at the data of client-", sentence);
            var report = await File.ReadAllTextAsync(Path.Combine(folder, "run", "report.html"), TestContext.Current.CancellationToken);
            Assert.Contains("What to change</h2>", report, StringComparison.Ordinal);
            Assert.DoesNotContain(
                "\"closed\":\"Deadline\"", File.ReadAllText(Path.Combine(folder, "run", "events.log")), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
