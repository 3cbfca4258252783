namespace FedKSeed.EndToEnd.Tests;

/// <summary>One mistaken command does not lose a run.</summary>
public sealed class OwnershipTests : IDisposable
{
    private static readonly string[] Settings =
        ["--rounds", "4", "--evaluate-every", "0", "--evaluation-limit", "4", "--steps", "8", "--synchronous"];

    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-owner-").FullName;

    private string Run => Path.Combine(_folder, "run");

    [Fact]
    public async Task A_live_run_is_left_alone_and_goes_on_after_a_kill_even_without_its_store()
    {
        using (var first = Fedkseed.Start(["run", "--output", Run, .. Settings]))
        {
            await first.UntilAsync("Scoring the base model");
            var plan = File.ReadAllText(Path.Combine(Run, "federation.json"));
            foreach (var option in new[] { "--resume", "--output" })
            {
                var second = await Fedkseed.RunAsync("run", option, Run);
                Assert.NotEqual(0, second.ExitCode);
                Assert.Matches("is in use by fedkseed run, process [0-9]+|holds a run already", second.Said);
            }
            Assert.Equal(plan, File.ReadAllText(Path.Combine(Run, "federation.json")));
            await first.UntilAsync("round 2/");
            first.Kill();
            await first.EndAsync();
        }
        var written = File.ReadAllBytes(Path.Combine(Run, "events.log"));
        Directory.Delete(Path.Combine(Run, "store"), recursive: true);

        var (code, said) = await Fedkseed.RunAsync("run", "--resume", Run);

        Assert.True(code == 0, said);
        Assert.Equal(written, File.ReadAllBytes(Path.Combine(Run, "events.log"))[..written.Length]);
        Assert.Equal(0, (await Fedkseed.RunAsync("verify", "--log", Path.Combine(Run, "events.log"))).ExitCode);
    }

    [Fact]
    public async Task A_log_that_is_not_the_stores_is_refused_before_anything_is_scored()
    {
        var (code, said) = await Fedkseed.RunAsync(["run", "--output", Run, .. Settings]);
        Assert.True(code == 0, said);
        var log = Path.Combine(Run, "events.log");
        var lines = File.ReadAllLines(log);
        lines[2] = lines[2].Replace("client-1", "client-x", StringComparison.Ordinal);
        File.WriteAllLines(log, lines);

        var (refused, why) = await Fedkseed.RunAsync("run", "--resume", Run);

        Assert.Equal(1, refused);
        Assert.Contains("differ from entry 2 (line 3) on", why, StringComparison.Ordinal);
        Assert.DoesNotContain("Scoring", why, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
