using System.Text.Json;

namespace FedKSeed.EndToEnd.Tests;

/// <summary>Short federations that tune an adapter, on the sample.</summary>
public sealed class AdapterFederationTests : IDisposable
{
    private static readonly string Base = Path.Combine(Fedkseed.Samples, "model");

    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-adapters-").FullName;

    [Theory]
    [InlineData("lora", "adapter_model.safetensors")]
    [InlineData("prompt", "adapter_model.safetensors")]
    [InlineData("bias", "model.safetensors")]
    public async Task An_adapter_learns_is_rebuilt_from_the_log_bit_for_bit_and_can_be_used_and_tuned_further(string kind, string weights)
    {
        var (run, replayed) = (Path.Combine(_folder, "run"), Path.Combine(_folder, "replayed"));
        var whole = await Fedkseed.RunAsync(
            "run", "--peft", kind, "--learning-rate", "0.03", "--rounds", "3", "--evaluate-every", "3", "--evaluation-limit", "16",
            "--synchronous", "--output", run, "--json");
        Assert.True(whole.ExitCode == 0, whole.Said);
        var summary = JsonDocument.Parse(whole.Said.Split('\n').Single(line => line.StartsWith('{'))).RootElement;
        double Loss(string when) => summary.GetProperty(when).GetProperty("loss").GetDouble();
        Assert.True(Loss("after") < 0.6 * Loss("before"), $"{Loss("before")} before, {Loss("after")} after");

        var model = Path.Combine(run, "model");
        var (code, said) = await Fedkseed.RunAsync(
            "replay", "--log", Path.Combine(run, "events.log"), "--base", Base, "--to", replayed);
        Assert.True(code == 0, said);
        Assert.True(File.Exists(Path.Combine(model, weights)));
        string[] Names(string folder) => [.. Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file)).Order()];
        Assert.Equal(Names(model), Names(replayed));
        foreach (var file in Directory.EnumerateFiles(model))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(replayed, Path.GetFileName(file))));

        (code, said) = await Fedkseed.RunAsync("verify", "--log", Path.Combine(run, "events.log"), "--base", Base);
        Assert.True(code == 0, said);
        (code, said) = await Fedkseed.RunAsync("generate", "--model", model, "--instruction", "copy a b", "--max-new-tokens", "4");
        Assert.True(code == 0, said);
        (code, said) = await Fedkseed.RunAsync(
            "run", "--model", model, "--rounds", "1", "--steps", "2", "--evaluate-every", "0", "--output", Path.Combine(_folder, "next"));
        if (kind == "prompt")
        {
            Assert.Equal(2, code);
            Assert.Contains("A prompt cannot be merged", said, StringComparison.Ordinal);
            return;
        }
        Assert.True(code == 0, said);
        // The next run goes on from what this one came to.
        var data = Path.Combine(Fedkseed.Samples, "data", "held-out.jsonl");
        string[] scored = kind == "bias" ? ["--model", model] : ["--model", Base, "--adapter", model];
        var one = await Fedkseed.RunAsync(["evaluate", .. scored, "--data", data, "--limit", "8", "--json"]);
        Assert.True(one.ExitCode == 0, one.Said);
        if (kind == "bias")
            return;
        var other = await Fedkseed.RunAsync(
            "evaluate", "--model", Path.Combine(_folder, "next", "base"), "--data", data, "--limit", "8", "--json");
        Assert.Equal(ScoreOf(one.Said), ScoreOf(other.Said), 1e-5);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static double ScoreOf(string said) =>
        JsonDocument.Parse(said.Split('\n').Single(line => line.StartsWith('{'))).RootElement.GetProperty("loss").GetDouble();
}
