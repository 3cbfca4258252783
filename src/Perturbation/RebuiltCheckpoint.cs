using System.Text;
using System.Text.Json.Nodes;
using FedKSeed.Checkpoints;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation;

/// <summary>How far the writing of a checkpoint has come.</summary>
/// <param name="BytesDone">Bytes of tensors written.</param>
/// <param name="BytesTotal">Bytes of tensors to write.</param>
/// <param name="Tensor">The tensor in hand.</param>
public readonly record struct RebuildProgress(long BytesDone, long BytesTotal, string Tensor);

/// <summary>
/// Writes a version of a model as a checkpoint with the names, order, shapes, types, metadata and file split of its base, in constant
/// memory. Tensors that are not trained are copied; a tied head that is stored becomes the rebuilt embedding. The files
/// appear once all of them are whole.
/// </summary>
public static class RebuiltCheckpoint
{
    private const int ChunkBytes = 1 << 22;

    // Where transformers keeps the chat templates that have a name.
    private const string AdditionalTemplates = "additional_chat_templates";

    private static readonly string[] ConfigurationFiles = [BaseConfig.FileName, "generation_config.json"];

    private static readonly string[] CompanionExtensions = [".json", ".jinja", ".model", ".tiktoken", ".txt"];

    /// <param name="source">The base checkpoint, w0.</param>
    /// <param name="rebuilder">The version: pool, q and s.</param>
    /// <param name="folder">Created if it is absent. An older checkpoint there is replaced. Must not be the base's own.</param>
    /// <param name="progress">Told after every chunk.</param>
    /// <param name="degreeOfParallelism">Threads to use; the bytes do not depend on it.</param>
    /// <param name="merged">An adapter that becomes a part of the weights. Biases that it adds are in the last of the files.</param>
    /// <param name="cancellation">Leaves the folder as it was.</param>
    /// <exception cref="ArgumentException">The folder is the base's.</exception>
    /// <exception cref="IOException">The disk is full or not writable; the folder is left as it was.</exception>
    public static void Write(
        Checkpoint source, Rebuilder rebuilder, string folder,
        IProgress<RebuildProgress>? progress = null, int degreeOfParallelism = 1, MergedAdapter? merged = null,
        CancellationToken cancellation = default)
    {
        if (RealPath.Of(folder) == RealPath.Of(source.Folder))
            throw new ArgumentException($"'{folder}' holds the base checkpoint, which must not be overwritten.", nameof(folder));
        Directory.CreateDirectory(folder);
        var job = new Job(source, rebuilder, merged, progress, degreeOfParallelism, cancellation);
        var files = new List<AtomicFile>();
        try
        {
            foreach (var file in source.Files)
            {
                var added = file == source.Files[^1] && merged is not null ? merged.Biases : [];
                var header = added.Count == 0 ? file.Header.Bytes : HeaderWith(file, added);
                files.Add(new AtomicFile(
                    Path.Combine(folder, Path.GetFileName(file.Path)),
                    header.Length + file.Header.DataLength + added.Sum(tensor => (long)tensor.Bytes.Length)));
                job.WriteFile(file, header, added, files[^1].Stream);
            }

            Publish(source, folder, files, merged?.Biases ?? []);
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }
    }

    /// <summary>Copies what a model folder holds beside its weights: configuration, tokenizer and chat template.</summary>
    /// <exception cref="CheckpointException">One of them is a link to something outside of the model; nothing was copied.</exception>
    /// <param name="sourceFolder">The model's.</param>
    /// <param name="folder">Created if it is absent.</param>
    /// <param name="withConfiguration">Whether config.json is copied: not beside an adapter, which is no model.</param>
    public static void CopyCompanions(string sourceFolder, string folder, bool withConfiguration = true)
    {
        var companions = Companions(sourceFolder)
            .Where(path => withConfiguration || !ConfigurationFiles.Contains(Path.GetFileName(path)));
        Directory.CreateDirectory(folder);
        foreach (var path in companions)
        {
            var copy = Path.Combine(folder, Path.GetRelativePath(sourceFolder, path));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            AtomicFile.Copy(path, copy);
        }
    }

    /// <summary>What <see cref="CopyCompanions"/> copies.</summary>
    /// <exception cref="CheckpointException">One of them is a link to something outside of the model.</exception>
    public static IReadOnlyList<string> Companions(string folder)
    {
        var templates = Path.Combine(folder, AdditionalTemplates);
        string[] companions = [.. Directory.EnumerateFiles(folder)
            .Concat(Directory.Exists(templates) ? Directory.EnumerateFiles(templates, "*.jinja") : [])
            .Where(path => CompanionExtensions.Contains(Path.GetExtension(path)) && Path.GetFileName(path) != Checkpoint.IndexFile)];
        return companions.FirstOrDefault(path => !IsOfTheModel(path, folder)) is { } stranger
            ? throw new CheckpointException(
                stranger, null, $"a link to '{RealPath.Of(stranger)}', outside of the model: put a copy in its place, or take it away.")
            : companions;
    }

    /// <summary>In the folder, links followed; or in blobs, where huggingface_hub's cache keeps the files of snapshots/REVISION.</summary>
    private static bool IsOfTheModel(string path, string folder)
    {
        if (RealPath.IsIn(path, folder))
            return true;
        var real = new DirectoryInfo(RealPath.Of(folder));
        return real.Parent is { Name: "snapshots", Parent: { } repository }
            && RealPath.IsIn(path, Path.Combine(repository.FullName, "blobs"));
    }

    /// <summary>
    /// Takes down what would be found first, then names the files, the index last: a reader never sees two versions mixed.
    /// </summary>
    private static void Publish(Checkpoint source, string folder, List<AtomicFile> files, IReadOnlyList<TensorContent> added)
    {
        var index = Path.Combine(source.Folder, Checkpoint.IndexFile);
        File.Delete(Path.Combine(folder, PeftFolder.ConfigFile));
        File.Delete(Path.Combine(folder, PeftFolder.WeightsFile));
        var isSharded = Path.GetFileName(source.Files[0].Path) != Checkpoint.SingleFile;
        using var indexCopy = isSharded ? new AtomicFile(Path.Combine(folder, Checkpoint.IndexFile), 0) : null;
        indexCopy?.Stream.Write(
            added.Count == 0 ? File.ReadAllBytes(index) : IndexWith(index, Path.GetFileName(source.Files[^1].Path), added));
        File.Delete(Path.Combine(folder, Checkpoint.IndexFile));
        if (isSharded)
            File.Delete(Path.Combine(folder, Checkpoint.SingleFile));
        files.ForEach(file => file.Commit());
        indexCopy?.Commit();
    }

    /// <summary>The header of a file that goes on with more tensors; its own stay where they are.</summary>
    private static byte[] HeaderWith(SafetensorsFile file, IReadOnlyList<TensorContent> added) => CheckpointWriter.Header(
        [.. file.Header.Entries.Select(entry => new TensorShape(entry.Name, entry.Type, entry.Shape)),
            .. added.Select(tensor => new TensorShape(tensor.Name, tensor.Type, tensor.Shape))]);

    private static byte[] IndexWith(string path, string file, IReadOnlyList<TensorContent> added)
    {
        var index = JsonNode.Parse(File.ReadAllBytes(path))!.AsObject();
        foreach (var tensor in added)
            index["weight_map"]![tensor.Name] = file;
        if (index["metadata"] is JsonObject metadata && metadata["total_size"] is JsonValue size && size.TryGetValue<long>(out var bytes))
            metadata["total_size"] = bytes + added.Sum(tensor => (long)tensor.Bytes.Length);
        return Encoding.UTF8.GetBytes(index.ToJsonString(new() { WriteIndented = true, NewLine = "\n" }) + "\n");
    }

    private sealed class Job(
        Checkpoint source, Rebuilder rebuilder, MergedAdapter? merged, IProgress<RebuildProgress>? progress, int degreeOfParallelism,
        CancellationToken cancellation)
    {
        private readonly TiedHead? _tied = source.TiedHead;
        private readonly long _total = source.Base.Tensors.Sum(tensor => tensor.ByteCount);
        private readonly byte[] _buffer = new byte[ChunkBytes];
        private long _done;

        public void WriteFile(SafetensorsFile file, byte[] header, IReadOnlyList<TensorContent> added, FileStream target)
        {
            target.Write(header);
            foreach (var entry in file.Header.Entries)
                WriteTensor(source[entry.Name], target);
            foreach (var tensor in added)
                target.Write(tensor.Bytes.Span);
        }

        private void WriteTensor(CheckpointTensor tensor, FileStream target)
        {
            for (long done = 0; done < tensor.ByteCount;)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = (int)Math.Min(tensor.ByteCount - done, ChunkBytes);
                var elements = tensor.Bytes(done, count);
                tensor.Prefetch(done + count, ChunkBytes);
                // The bytes of a tied head are the embedding's, so that they become the rebuilt embedding's along its directions.
                var directions = tensor == _tied?.Head ? _tied.Embedding : tensor;
                if (merged?.Changes(tensor) == true)
                {
                    WriteMerged(tensor, done, elements);
                    elements = _buffer.AsSpan(0, count);
                }
                else if (directions.Ordinal is int ordinal && rebuilder.Pool.Directed(ordinal, directions.Columns) is not null)
                {
                    rebuilder.Rebuild(
                        ordinal, done / tensor.Type.Size(), tensor.Type, elements, _buffer.AsSpan(0, count), degreeOfParallelism,
                        directions.Columns);
                    elements = _buffer.AsSpan(0, count);
                }

                target.Write(elements);
                tensor.Release(done, count); // else the pages that were read add up to a second copy of the model
                done += count;
                _done += count;
                progress?.Report(new RebuildProgress(_done, _total, tensor.Name));
            }
        }

        /// <summary>In float32 until the one rounding at the end.</summary>
        private void WriteMerged(CheckpointTensor tensor, long firstByte, ReadOnlySpan<byte> elements)
        {
            var size = tensor.Type.Size();
            var wide = new float[elements.Length / size];
            tensor.Type.Widen(elements, wide);
            rebuilder.Rebuild(tensor.Ordinal!.Value, firstByte / size, wide, wide, degreeOfParallelism, tensor.Columns);
            merged!.Add(tensor, firstByte / size, wide);
            tensor.Type.Narrow(wide, _buffer.AsSpan(0, elements.Length));
        }
    }
}
