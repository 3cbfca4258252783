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
            Assert.Contains("Version 0, the best one, was kept", sentence, StringComparison.Ordinal);
            Assert.DoesNotContain(
                "\"closed\":\"Deadline\"", File.ReadAllText(Path.Combine(folder, "run", "events.log")), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
