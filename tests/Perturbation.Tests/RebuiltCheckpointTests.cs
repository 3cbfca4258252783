using System.Globalization;
using System.Security.Cryptography;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Tests;

namespace FedKSeed.Perturbation.Tests;

public class RebuiltCheckpointTests
{
    private static readonly DirectionSpace Pool = new() { PoolKey = 77, SeedCount = 40 };
    private static readonly Rebuilder Version = new(Pool, [.. Enumerable.Range(0, 40).Select(seed => 1000 * (seed - 20))], 20);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("qwen3-qknorm")]
    [InlineData("llama3-rope-tied")]
    public void A_rebuilt_checkpoint_keeps_the_layout_of_its_base_and_holds_the_rebuilt_weights(string model)
    {
        using var folder = new CheckpointFolder();
        using var source = Checkpoint.Open(Vectors.Path("models", model));
        var reports = new Reports();
        RebuiltCheckpoint.Write(source, Version, folder.Path, reports, 2, cancellation: Cancellation);
        using var rebuilt = Checkpoint.Open(folder.Path);

        Assert.Equal(Weights(source.Folder), Weights(folder.Path));
        Assert.All(Weights(folder.Path).Where(name => name.EndsWith("safetensors", StringComparison.Ordinal)), name =>
            Assert.Equal(Header(Path.Combine(source.Folder, name)), Header(folder.File(name))));
        foreach (var tensor in source.Weights)
        {
            float[] expected = new float[tensor.ElementCount], widened = tensor.ToArray();
            Version.Rebuild(tensor.Ordinal!.Value, 0, widened, expected);
            var narrowed = new byte[tensor.ByteCount];
            tensor.Type.Narrow(expected, narrowed);
            Assert.Equal(narrowed, rebuilt[tensor.Name].Bytes(0, narrowed.Length));
        }

        var total = source.Tensors.Sum(tensor => tensor.ByteCount);
        Assert.Equal(new RebuildProgress(total, total, reports[^1].Tensor), reports[^1]);
    }

    [Fact]
    public void What_is_not_trained_is_copied()
    {
        using CheckpointFolder from = new(), to = new();
        byte[] positions = [1, 2, 3, 4], frequencies = [0, 0, 128, 63];
        CheckpointWriter.Write(from.File(Checkpoint.SingleFile), [
            new TensorContent("positions", TensorType.U8, [4], positions),
            new TensorContent("rotary.inv_freq", TensorType.F32, [1], frequencies),
            new TensorContent("w", TensorType.F32, [3], new byte[12])]);
        using var source = Checkpoint.Open(from.Path);
        RebuiltCheckpoint.Write(source, Version, to.Path, cancellation: Cancellation);
        using var rebuilt = Checkpoint.Open(to.Path);
        Assert.Equal(positions, rebuilt["positions"].Bytes(0, 4));
        Assert.Equal(frequencies, rebuilt["rotary.inv_freq"].Bytes(0, 4));
        Assert.NotEqual(new byte[12], rebuilt["w"].Bytes(0, 12).ToArray());
    }

    [Fact]
    public void A_cancelled_rebuild_leaves_the_older_checkpoint_whole()
    {
        using var folder = new CheckpointFolder();
        using var source = Checkpoint.Open(Vectors.Path("models", "qwen3-qknorm"));
        RebuiltCheckpoint.Write(source, Version, folder.Path, cancellation: Cancellation);
        var before = Digests(folder.Path);
        using var stop = new CancellationTokenSource();
        var stopMidway = new Reports(report => { if (report.BytesDone > report.BytesTotal / 2) stop.Cancel(); });
        var other = new Rebuilder(Pool, new int[40], 0);
        Assert.Throws<OperationCanceledException>(
            () => RebuiltCheckpoint.Write(source, other, folder.Path, stopMidway, 1, cancellation: stop.Token));
        Assert.Equal(before, Digests(folder.Path));
    }

    [Fact]
    public void An_unsharded_leftover_does_not_hide_the_new_shards()
    {
        using var folder = new CheckpointFolder();
        CheckpointWriter.Write(folder.File(Checkpoint.SingleFile), [new TensorContent("old", TensorType.F32, [1], new byte[4])]);
        using var source = Checkpoint.Open(Vectors.Path("models", "qwen3-qknorm"));
        RebuiltCheckpoint.Write(source, Version, folder.Path, cancellation: Cancellation);
        using var rebuilt = Checkpoint.Open(folder.Path);
        Assert.Equal(source.Tensors.Select(tensor => tensor.Name), rebuilt.Tensors.Select(tensor => tensor.Name));
    }

    [Fact]
    public void The_memory_that_a_rebuild_takes_does_not_grow_with_the_checkpoint()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux says what a mapped file takes.");
        (long Mapped, long Allocated) Peak(int megabytes)
        {
            using CheckpointFolder from = new(), to = new();
            CheckpointWriter.WriteZeros(from.File(Checkpoint.SingleFile), [.. Enumerable.Range(0, 4).Select(i =>
                new TensorShape($"w{i}", TensorType.BF16, [megabytes * (1L << 18) / 2]))]);
            using var source = Checkpoint.Open(from.Path);
            long mapped = 0, ofWatching = 0, before = GC.GetAllocatedBytesForCurrentThread();
            var watch = new Reports(_ =>
            {
                var start = GC.GetAllocatedBytesForCurrentThread();
                mapped = Math.Max(mapped, ResidentBytes(from.Path));
                ofWatching += GC.GetAllocatedBytesForCurrentThread() - start;
            });
            RebuiltCheckpoint.Write(source, new Rebuilder(Pool, new int[40], 0), to.Path, watch, 1, cancellation: Cancellation);
            return (mapped, GC.GetAllocatedBytesForCurrentThread() - before - ofWatching);
        }

        (long Mapped, long Allocated) small = Peak(16), large = Peak(96);
        Assert.InRange(large.Mapped, 0, 12 << 20);
        Assert.InRange(large.Allocated, 0, small.Allocated + (1 << 20));
    }

    [Fact]
    public void The_base_is_never_overwritten()
    {
        using var folder = new CheckpointFolder();
        CheckpointWriter.Write(folder.File(Checkpoint.SingleFile), [new TensorContent("w", TensorType.F32, [1], new byte[4])]);
        using var source = Checkpoint.Open(folder.Path);
        Assert.Throws<ArgumentException>(() => RebuiltCheckpoint.Write(
            source, Version, folder.Path + "/../" + Path.GetFileName(folder.Path) + "/", cancellation: Cancellation));
    }

    [Fact]
    public void Companions_are_copied_without_weights_or_index()
    {
        using CheckpointFolder from = new(), to = new();
        foreach (var name in new[] {
            "config.json", "tokenizer.json", "merges.txt", "tokenizer.model", "model-1.safetensors", "pytorch_model.bin",
            Checkpoint.IndexFile })
            from.WithBytes([1], name);
        RebuiltCheckpoint.CopyCompanions(from.Path, to.Path);
        Assert.Equal(
            ["config.json", "merges.txt", "tokenizer.json", "tokenizer.model"],
            Directory.GetFiles(to.Path).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Contents_that_do_not_fit_their_shape_are_refused()
    {
        using var folder = new CheckpointFolder();
        var tensor = new TensorContent("w", TensorType.F32, [2], new byte[8]);
        Assert.Throws<ArgumentException>(() => CheckpointWriter.Write(folder.File("a"), [tensor, tensor]));
        Assert.Throws<ArgumentException>(() => CheckpointWriter.Write(folder.File("a"), [tensor with { Shape = [3] }]));
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    private static IEnumerable<string> Weights(string folder) =>
        Directory.GetFiles(folder).Select(path => Path.GetFileName(path)!)
            .Where(name => name.Contains("safetensors", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);

    /// <summary>Bytes of the files in a folder that this process has mapped and in memory.</summary>
    private static long ResidentBytes(string folder)
    {
        var isInFolder = false;
        long kilobytes = 0;
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.Contains('/') || line.Contains('-'))
                isInFolder = line.Contains(folder, StringComparison.Ordinal);
            else if (isInFolder && line.StartsWith("Rss:", StringComparison.Ordinal))
                kilobytes += long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
        }

        return kilobytes << 10;
    }

    private static string Header(string path)
    {
        using var stream = File.OpenRead(path);
        return Convert.ToHexString(SafetensorsHeader.Read(path, stream).Bytes);
    }

    private static Dictionary<string, string> Digests(string folder) =>
        Directory.GetFiles(folder)
            .ToDictionary(path => Path.GetFileName(path)!, path => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path))));

    private sealed class Reports(Action<RebuildProgress>? onReport = null) : List<RebuildProgress>, IProgress<RebuildProgress>
    {
        public void Report(RebuildProgress value)
        {
            Add(value);
            onReport?.Invoke(value);
        }
    }
}
