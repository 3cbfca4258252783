using System.Diagnostics;

namespace FedKSeed.EndToEnd.Tests;

/// <summary>One Ctrl-C, or SIGTERM, at any moment of any verb ends it cleanly, in seconds, and says how to go on.</summary>
public sealed class SignalTests(ShortFederation federation) : IClassFixture<ShortFederation>
{
    /// <summary>Of a machine that does much else besides.</summary>
    private static readonly TimeSpan Seconds = TimeSpan.FromSeconds(15), ManyProcesses = TimeSpan.FromSeconds(30);

    [Fact]
    public Task A_run_at_ten_random_moments() =>
        AtRandomMomentsAsync(
            10, TimeSpan.FromSeconds(14), Seconds, "--resume ",
            number => ["run", "--output", federation.NewFolder($"run-{number}"), "--rounds", "500", "--evaluate-every", "1"]);

    [Fact]
    public async Task A_cluster_at_five_random_moments()
    {
        Assert.SkipUnless(File.Exists("/usr/lib/rabbitmq/bin/rabbitmq-server"), "It needs rabbitmq-server and redis-server.");
        await AtRandomMomentsAsync(
            5, TimeSpan.FromSeconds(25), ManyProcesses, "--resume ",
            number => ["cluster", "--output", federation.NewFolder($"cluster-{number}"), "--rounds", "500"]);
    }

    [Fact]
    public Task A_replay_at_eight_random_moments() =>
        AtRandomMomentsAsync(
            8, TimeSpan.FromSeconds(1), Seconds, "the same command starts it again",
            number =>
            [
                "replay", "--log", Path.Combine(federation.Whole, "events.log"), "--base", Path.Combine(Fedkseed.Samples, "model"),
                "--to", federation.NewFolder($"replay-{number}"),
            ]);

    [Fact]
    public Task An_evaluation_at_seven_random_moments() =>
        AtRandomMomentsAsync(
            7, TimeSpan.FromSeconds(5), Seconds, "the same command starts it again",
            _ =>
            [
                "evaluate", "--model", Path.Combine(Fedkseed.Samples, "model"),
                "--data", Path.Combine(Fedkseed.Samples, "data", "held-out.jsonl"),
                "--prompt", Path.Combine(Fedkseed.Samples, "prompt.json"),
            ]);

    [Fact]
    public async Task A_second_one_ends_it_at_once()
    {
        using var run = Fedkseed.Start("run", "--output", federation.NewFolder("twice"), "--rounds", "500");
        await run.UntilAsync("round 1/");

        run.Signal("INT");
        run.Signal("INT");

        Assert.Equal(130, await run.EndAsync());
        Assert.Contains("--resume ", run.Said, StringComparison.Ordinal);
    }

    /// <param name="goOn">What whoever interrupts is told, once there is anything to go on with.</param>
    private static async Task AtRandomMomentsAsync(
        int moments, TimeSpan span, TimeSpan patience, string goOn, Func<int, string[]> arguments)
    {
        var random = new Random(moments);
        for (var number = 0; number < moments; number++)
        {
            var (moment, isInterrupt) = (random.NextDouble() * span, random.Next(2) == 0);
            using var verb = Fedkseed.Start(arguments(number));
            await Task.Delay(moment, TestContext.Current.CancellationToken);
            var asked = Stopwatch.GetTimestamp();
            var signal = isInterrupt ? "INT" : "TERM";
            verb.Signal(signal);
            var code = await verb.EndAsync();
            var (took, said) = (Stopwatch.GetElapsedTime(asked), verb.Said);

            var message = $"{signal} after {moment.TotalSeconds:F2} s: {code} in {took.TotalSeconds:F1} s, said: {said}";
            // A verb that was done by then, or had not begun to listen, is as good.
            Assert.True(code == (isInterrupt ? 130 : 143) || (code == 0 && !said.Contains("stopped", StringComparison.Ordinal)), message);
            Assert.True(took < patience, message);
            Assert.DoesNotContain("Exception", said, StringComparison.Ordinal);
            if (said.Contains("stopped", StringComparison.Ordinal))
                Assert.True(
                    said.Contains(goOn, StringComparison.Ordinal) || said.Contains("the same command", StringComparison.Ordinal), message);
            else
                Assert.True(code == 0 || string.IsNullOrWhiteSpace(said), message);
        }
    }
}
