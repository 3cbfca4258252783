using System.Text.Json;
using FedKSeed.Perturbation.Cuda;

namespace FedKSeed.Cli.Tests;

public sealed class BenchTests
{
    private static readonly string[] Quick = ["--shape", "tiny", "--seeds", "64", "--tokens", "8", "--seconds", "0.01"];

    [Fact]
    public async Task A_shape_is_measured_for_machines_and_for_people()
    {
        var json = await CommandRun.Of(["bench", .. Quick, "--json"]);
        var text = await CommandRun.Of(["bench", "cpu", .. Quick, "--dtype", "bfloat16"]);

        Assert.Equal((0, 0), (json.ExitCode, text.ExitCode));
        var report = JsonDocument.Parse(json.Output).RootElement;
        Assert.True(report.GetProperty("copyBytesPerSecond").GetDouble() > 0);
        var rows = report.GetProperty("rows").EnumerateArray().ToDictionary(row => row.GetProperty("operation").GetString()!);
        Assert.Equal(
            [
                "rebuild", "rebuild, rank one", "perturb, both signs", "local update", "update and perturb", "forward", "step",
                "forward, twice the tokens", "step, rank one, 24 moves behind", "step, rank one, 99 moves behind",
                "step, rank one, 199 moves behind",
            ],
            rows.Keys);
        Assert.All(rows.Values, row =>
        {
            Assert.InRange(row.GetProperty("seconds").GetDouble(), 1e-9, 1e6);
            Assert.Equal(
                row.GetProperty("bytesPerSecond").GetDouble() / report.GetProperty("copyBytesPerSecond").GetDouble(),
                row.GetProperty("shareOfCopy").GetDouble(), 1e-9);
        });
        Assert.Equal(
            64.0 * report.GetProperty("weights").GetInt64(),
            rows["rebuild"].GetProperty("seconds").GetDouble() * rows["rebuild"].GetProperty("pairsPerSecond").GetDouble(), 1);
        foreach (var said in rows.Keys.Append("memory copy").Append("5 M weights, bfloat16").Append("Loops extrapolated"))
            Assert.Contains(said, text.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', text.Output);
    }

    [Fact]
    public async Task A_whole_checkpoint_of_a_shape_is_rebuilt_in_chunks_and_leaves_nothing_behind()
    {
        var before = Folders();
        var json = await CommandRun.Of("bench", "--shape", "tiny", "--seeds", "16", "--whole", "--json");
        var text = await CommandRun.Of("bench", "--shape", "tiny", "--seeds", "16", "--whole");

        Assert.Equal((0, 0), (json.ExitCode, text.ExitCode));
        var report = JsonDocument.Parse(json.Output).RootElement;
        Assert.Equal(
            16.0 * report.GetProperty("weights").GetInt64(), report.GetProperty("seconds").GetDouble()
                * report.GetProperty("pairsPerSecond").GetDouble(), 1);
        Assert.True(report.GetProperty("peakMemoryBytes").GetInt64() > 0);
        Assert.Contains("rebuilt in", text.Output, StringComparison.Ordinal);
        Assert.Empty(Folders().Except(before));

        static string[] Folders() => Directory.GetDirectories(Path.GetTempPath(), "fedkseed-whole-*");
    }

    [Fact]
    public async Task A_whole_checkpoint_is_for_the_processor()
    {
        var run = await CommandRun.Of("bench", "cuda", "--whole");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("--whole measures the processor", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_card_it_says_what_is_missing_and_how_to_mend_it()
    {
        Assert.SkipWhen(CudaDriver.WhyNot() is null, "This machine has a card.");
        var run = await CommandRun.Of(["bench", "cuda", .. Quick]);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("install NVIDIA's driver", run.Errors, StringComparison.Ordinal);
        Assert.Contains("fedkseed doctor", run.Errors, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task A_wrong_device_or_shape_is_wrong_usage()
    {
        var run = await CommandRun.Of("bench", "tpu", "--shape", "5b", "--seconds", "0");

        Assert.Equal(2, run.ExitCode);
        foreach (var said in new[] {
            "The device must be cpu or cuda or cuda:N, not 'tpu'", "--shape must be tiny or 1.3b or 3b or 7b",
            "--seconds must be a number between" })
            Assert.Contains(said, run.Errors, StringComparison.Ordinal);
    }
}
