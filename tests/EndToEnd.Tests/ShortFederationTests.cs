using System.Text.Json;

namespace FedKSeed.EndToEnd.Tests;

public sealed class ShortFederationTests(ShortFederation federation) : IClassFixture<ShortFederation>
{
    [Fact]
    public void The_held_out_loss_falls_by_half() =>
        Assert.True(
            Loss("after") < 0.5
                * Loss("before"), $"It was {Loss("before")} before and {Loss("after")} after {ShortFederation.Rounds} rounds.");

    [Fact]
    public void A_client_moves_a_few_kilobytes_in_a_round()
    {
        var bytes = federation.Summary.GetProperty("bytesUp").GetDouble() + federation.Summary.GetProperty("bytesDown").GetDouble();

        // The whole model takes 10 240 bytes, and base64 a third more; after the first rounds it comes as what changed.
        Assert.InRange(bytes, 2_000, 13_000);
    }

    [Fact]
    public void A_terminated_run_ends_at_once_and_says_how_to_go_on()
    {
        var (code, said) = federation.Terminated;

        Assert.Equal(143, code);
        Assert.Contains($"--resume {federation.Broken}", said, StringComparison.Ordinal);
        Assert.DoesNotContain("round 4/", said, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_that_was_stopped_killed_and_resumed_writes_the_same_log_but_for_times()
    {
        Assert.True(federation.Resumed.ExitCode == 0, federation.Resumed.Said);
        Assert.Equal(Events(federation.Whole), Events(federation.Broken));
    }

    [Fact]
    public void And_ends_with_the_same_model_bytes() => Assert.Equal(Weights(federation.Whole), Weights(federation.Broken));

    [Fact]
    public async Task The_log_alone_rebuilds_the_final_model_bit_for_bit()
    {
        var target = federation.NewFolder("replayed");

        var (code, said) = await Fedkseed.RunAsync(
            "replay", "--log", Path.Combine(federation.Whole, "events.log"),
            "--base", Path.Combine(Fedkseed.Samples, "model"), "--to", target);

        Assert.True(code == 0, said);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(federation.Whole, "model")))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(target, Path.GetFileName(file))));
    }

    [Fact]
    public async Task The_log_is_sound()
    {
        var (code, said) = await Fedkseed.RunAsync("verify", "--log", Path.Combine(federation.Broken, "events.log"));

        Assert.True(code == 0, said);
        Assert.Contains("64 of 8 clients", said, StringComparison.Ordinal);
    }

    [Fact]
    public void The_run_leaves_everything_behind_that_it_promises()
    {
        foreach (var file in new[] {
            "events.log", "metrics.csv", "clients.csv", "report.html", "federation.json", "model/model.safetensors", "model/config.json",
            "model/tokenizer.json" })
            Assert.True(new FileInfo(Path.Combine(federation.Broken, file)) is { Exists: true, Length: > 0 }, file);
        string[][] rows = [.. File.ReadLines(Path.Combine(federation.Broken, "metrics.csv")).Skip(1).Select(line => line.Split(','))];
        Assert.Equal(Enumerable.Range(0, ShortFederation.Rounds + 1).Select(version => $"{version}"), rows.Select(row => row[1]));
        Assert.NotEqual("", rows[0][5]);
    }

    private double Loss(string when) => federation.Summary.GetProperty(when).GetProperty("loss").GetDouble();

    private static IEnumerable<string> Events(string folder) => File.ReadLines(Path.Combine(folder, "events.log"))
        .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("event").GetRawText());

    private static byte[] Weights(string folder) => File.ReadAllBytes(Path.Combine(folder, "model", "model.safetensors"));
}
