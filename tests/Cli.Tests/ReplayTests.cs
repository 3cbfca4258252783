using FedKSeed.Contracts;
using FedKSeed.Checkpoints;
using FedKSeed.Perturbation.Directions;

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

        Assert.Equal(2, run.ExitCode);
        foreach (var option in new[] { "--log", "--base", "--version", "--threads" })
            Assert.Contains($"fedkseed: {option}", run.Errors, StringComparison.Ordinal);
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
