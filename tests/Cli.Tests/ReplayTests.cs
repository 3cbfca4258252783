using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

public sealed class ReplayTests : IDisposable
{
    private readonly SampleLog _sample = new();

    private string Target => Path.Combine(_sample.Folder, "rebuilt");

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Every_version_is_rebuilt_from_the_log_alone(int version)
    {
        var run = await Replay("--version", $"{version}");

        Assert.Equal(0, run.ExitCode);
        using var source = Checkpoint.Open(_sample.Base);
        using var rebuilt = Checkpoint.Open(Target);
        Assert.Equal(source.Tensors.Select(tensor => tensor.Name), rebuilt.Tensors.Select(tensor => tensor.Name));
        foreach (var tensor in source.Weights)
            Assert.Equal(Expected(tensor, _sample.Versions[version]), rebuilt[tensor.Name].Bytes(0, (int)tensor.ByteCount).ToArray());
        Assert.Equal("{}", File.ReadAllText(Path.Combine(Target, "config.json")));
    }

    [Fact]
    public async Task The_version_that_the_federation_kept_is_the_default()
    {
        await Replay("--version", "3");
        var third = File.ReadAllBytes(Path.Combine(Target, Checkpoint.SingleFile));
        var run = await Replay("--force");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal(third, File.ReadAllBytes(Path.Combine(Target, Checkpoint.SingleFile)));
    }

    [Fact]
    public async Task A_folder_with_something_in_it_is_left_alone_unless_forced()
    {
        Directory.CreateDirectory(Target);
        File.WriteAllText(Path.Combine(Target, "mine"), "");

        var refused = await Replay();
        var forced = await Replay("--force");

        Assert.Equal((2, 0), (refused.ExitCode, forced.ExitCode));
        Assert.Contains("is not empty", refused.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_base_model_is_refused()
    {
        var path = Path.Combine(_sample.Base, Checkpoint.SingleFile);
        var bytes = File.ReadAllBytes(path);
        bytes[^1] ^= 1;
        File.WriteAllBytes(path, bytes);

        var run = await Replay();

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("is not the base model of this log", run.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target));
    }

    [Fact]
    public async Task A_version_that_never_was_is_named_with_those_that_were()
    {
        var run = await Replay("--version", "4");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("versions 0 to 3", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_wrong_argument_is_named_at_once()
    {
        var run = await CommandRun.Of(
            "replay", "--log", "/no/log", "--base", "/no/base", "--version", "-1", "--to", Target, "--threads", "0");
        var files = await CommandRun.Of("replay", "--log", "/no/log", "--base", "/no/base", "--to", Target);

        Assert.Equal((2, 2), (run.ExitCode, files.ExitCode));
        foreach (var option in new[] { "--version", "--threads" })
            Assert.Contains($"fedkseed: {option}", run.Errors, StringComparison.Ordinal);
        foreach (var option in new[] { "--log", "--base" })
            Assert.Contains($"fedkseed: {option}", files.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_planted_link_is_taken_away_and_what_it_points_to_stays()
    {
        var outside = Path.Combine(_sample.Folder, "outside");
        File.WriteAllText(outside, "mine");
        Directory.CreateDirectory(Target);
        foreach (var name in new[] { Checkpoint.SingleFile + ".partial", Checkpoint.SingleFile, "config.json", "config.json.partial" })
            File.CreateSymbolicLink(Path.Combine(Target, name), outside);

        var run = await Replay("--force");

        Assert.Equal(0, run.ExitCode);
        Assert.Equal("mine", File.ReadAllText(outside));
        Assert.All(Directory.EnumerateFiles(Target), file => Assert.Null(new FileInfo(file).LinkTarget));
        Assert.Equal("{}", File.ReadAllText(Path.Combine(Target, "config.json")));
        Assert.Equal(["config.json", Checkpoint.SingleFile], Directory.EnumerateFiles(Target).Select(Path.GetFileName).Order());
    }

    [Theory]
    [InlineData("base", "is the base model's folder")]
    [InlineData("elsewhere", "name the folder itself")]
    public async Task A_link_as_target_is_refused(string to, string said)
    {
        Directory.CreateDirectory(Path.Combine(_sample.Folder, "elsewhere"));
        Directory.CreateSymbolicLink(Target, Path.Combine(_sample.Folder, to));
        var before = File.ReadAllBytes(Path.Combine(_sample.Base, Checkpoint.SingleFile));

        var run = await Replay("--force");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains(said, run.Errors, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(Path.Combine(_sample.Base, Checkpoint.SingleFile)));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(_sample.Folder, "elsewhere")));
    }

    [Fact]
    public async Task A_companion_that_is_a_link_to_the_outside_is_not_copied_and_nothing_is_written()
    {
        File.WriteAllText(Path.Combine(_sample.Folder, "secret"), "mine");
        File.CreateSymbolicLink(Path.Combine(_sample.Base, "tokenizer.json"), Path.Combine("..", "secret"));

        var run = await Replay();

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("tokenizer.json: a link to", run.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target));
    }

    [Fact]
    public async Task Files_of_a_snapshot_in_the_cache_of_huggingface_hub_are_the_models_own()
    {
        var repository = Path.Combine(_sample.Folder, "models--a--b");
        var (blobs, snapshot) = (Path.Combine(repository, "blobs"), Path.Combine(repository, "snapshots", "1234"));
        Directory.CreateDirectory(blobs);
        Directory.CreateDirectory(snapshot);
        foreach (var file in Directory.EnumerateFiles(_sample.Base))
        {
            File.Move(file, Path.Combine(blobs, Path.GetFileName(file)));
            File.CreateSymbolicLink(
                Path.Combine(snapshot, Path.GetFileName(file)), Path.Combine("..", "..", "blobs", Path.GetFileName(file)));
        }

        var run = await CommandRun.Of("replay", "--log", _sample.Log, "--base", snapshot, "--to", Target);

        Assert.True(run.ExitCode == 0, run.Errors);
        Assert.Equal("{}", File.ReadAllText(Path.Combine(Target, "config.json")));
        Assert.Null(new FileInfo(Path.Combine(Target, "config.json")).LinkTarget);
    }

    [Fact]
    public async Task A_model_replayed_from_the_log_of_a_run_is_asked_as_that_run_asked_it()
    {
        var template = Path.Combine("additional_chat_templates", "tool_use.jinja");
        Directory.CreateDirectory(Path.Combine(_sample.Base, "additional_chat_templates"));
        File.WriteAllText(Path.Combine(_sample.Base, template), "{{ messages }}");
        File.WriteAllText(Path.Combine(_sample.Base, "prompt_template.json"), """{"withInput": "base", "withoutInput": "base"}""");
        var ofRun = Path.Combine(_sample.Folder, "model", "prompt_template.json");
        Directory.CreateDirectory(Path.GetDirectoryName(ofRun)!);
        File.WriteAllText(ofRun, """{"withInput": "run", "withoutInput": "run"}""");

        var run = await Replay();
        Assert.True(run.ExitCode == 0, run.Errors);
        Assert.Contains("prompt_template.json is that of", run.Output, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(ofRun), File.ReadAllText(Path.Combine(Target, "prompt_template.json")));
        Assert.Equal("{{ messages }}", File.ReadAllText(Path.Combine(Target, template)));

        File.Delete(ofRun);
        await Replay("--force");
        Assert.Contains("base", File.ReadAllText(Path.Combine(Target, "prompt_template.json")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_replays_do_not_write_into_one_folder_at_once()
    {
        Directory.CreateDirectory(Target);
        using var other = new FileStream(
            Path.Combine(Target, Checkpoint.SingleFile + ".partial"), FileMode.CreateNew, FileAccess.Write, FileShare.None);

        var run = await Replay("--force");

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("is being written by another process", run.Errors, StringComparison.Ordinal);
    }

    public void Dispose() => _sample.Dispose();

    private Task<CommandRun> Replay(params string[] more) =>
        CommandRun.Of(["replay", "--log", _sample.Log, "--base", _sample.Base, "--to", Target, .. more]);

    /// <summary>SPEC 6, one weight at a time.</summary>
    private byte[] Expected(CheckpointTensor tensor, ReadOnlyMemory<long> accumulators)
    {
        var quantised = QuantisedAccumulators.Of(accumulators.Span);
        var pool = _sample.Settings.Directions;
        var bytes = tensor.Bytes(0, (int)tensor.ByteCount).ToArray();
        for (var k = 0; k < bytes.Length / sizeof(float); k++)
        {
            var sum = 0;
            for (var seed = 0; seed < pool.SeedCount; seed++)
                sum += quantised.Values.Span[seed] * (int)pool.Direction(seed, tensor.Ordinal!.Value).Value(k);
            var weight = MathF.FusedMultiplyAdd(
                -MathF.ScaleB(1, quantised.Shift - 40), sum, BitConverter.ToSingle(bytes, k * sizeof(float)));
            BitConverter.TryWriteBytes(bytes.AsSpan(k * sizeof(float)), weight);
        }
        return bytes;
    }
}
