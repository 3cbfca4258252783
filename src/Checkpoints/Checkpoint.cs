using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FedKSeed.Checkpoints;

/// <summary>
/// A model's weights in Hugging Face layout, memory-mapped: <c>model.safetensors</c>, or <c>model.safetensors.index.json</c> and
/// the shards that it names. Everything is checked on opening but the values themselves.
/// </summary>
public sealed class Checkpoint : IDisposable
{
    public const string SingleFile = "model.safetensors";
    public const string IndexFile = "model.safetensors.index.json";

    private const string RotaryBuffer = "inv_freq";
    private const int DigestChunk = 1 << 24;

    private static readonly Comparer<byte[]> Utf8Order = Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b));

    private readonly List<SafetensorsFile> _files;
    private readonly Dictionary<string, CheckpointTensor> _byName;
    private readonly Lazy<TiedHead?> _tiedHead;
    private readonly Checkpoint? _base;

    private Checkpoint(string folder, List<SafetensorsFile> files)
    {
        Folder = folder;
        _files = files;
        Tensors = Ordered(files);
        Weights = [.. Tensors.Where(tensor => tensor.Ordinal is not null)];
        _byName = Tensors.ToDictionary(tensor => tensor.Name);
        _tiedHead = new(() => Checkpoints.TiedHead.Of(this));
    }

    private Checkpoint(Checkpoint source, IReadOnlyList<CheckpointTensor> adapter)
    {
        (_base, Folder, _files, _tiedHead, Adapter) = (source, source.Folder, source._files, source._tiedHead, adapter);
        Tensors = [.. source.Tensors, .. adapter];
        Weights = [.. source.Weights, .. adapter];
        _byName = Tensors.ToDictionary(tensor => tensor.Name);
    }

    public string Folder { get; }

    /// <summary>The tensors that may be trained, an adapter's last; a tensor's index is its ordinal (SPEC 1).</summary>
    public IReadOnlyList<CheckpointTensor> Weights { get; }

    /// <summary>Every tensor, sorted by the UTF-8 bytes of its name; an adapter's last.</summary>
    public IReadOnlyList<CheckpointTensor> Tensors { get; }

    /// <summary>The tensors that <see cref="With"/> added, sorted likewise; none for what a folder holds.</summary>
    public IReadOnlyList<CheckpointTensor> Adapter { get; } = [];

    /// <summary>What the folder holds, without an adapter.</summary>
    public Checkpoint Base => _base ?? this;

    /// <summary>Trained elements: the sum over <see cref="Weights"/>.</summary>
    public long WeightCount => Weights.Sum(tensor => tensor.ElementCount);

    /// <summary>The output layer that it stores beside the embedding that it is tied to; null if there is none.</summary>
    /// <exception cref="CheckpointException">The two differ.</exception>
    public TiedHead? TiedHead => _tiedHead.Value;

    internal IReadOnlyList<SafetensorsFile> Files => _files;

    /// <summary>A tensor by name.</summary>
    /// <exception cref="CheckpointException">There is none of that name.</exception>
    public CheckpointTensor this[string name] =>
        _byName.TryGetValue(name, out var tensor)
            ? tensor
            : throw new CheckpointException(Folder, name, "the checkpoint holds no such tensor.");

    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <exception cref="CheckpointException">Something is missing, truncated or inconsistent: the message names file and field.</exception>
    public static Checkpoint Open(string folder)
    {
        var files = new List<SafetensorsFile>();
        try
        {
            if (!Directory.Exists(folder))
                throw new CheckpointException(folder, null, "the folder is missing.");
            if (File.Exists(Path.Combine(folder, SingleFile)))
                files.Add(SafetensorsFile.Open(Path.Combine(folder, SingleFile)));
            else if (File.Exists(Path.Combine(folder, IndexFile)))
                OpenShards(CheckpointIndex.Read(Path.Combine(folder, IndexFile)), folder, files);
            else
                throw new CheckpointException(
                    folder,
                    null,
                    $"not a checkpoint: neither {SingleFile} nor {IndexFile} is there. {ForeignWeights.InFolder(folder)}".TrimEnd());
            RequireUnquantised(folder, files);
            return new Checkpoint(folder, files);
        }
        catch
        {
            files.ForEach(file => file.Dispose());
            throw;
        }
    }

    /// <summary>
    /// This checkpoint with the tensors of an adapter behind its own: their ordinals go on from the base's, in the order of their names. Both
    /// read the same files, and disposing either closes them.
    /// </summary>
    /// <exception cref="CheckpointException">A name is there already, or a type is none that weights have.</exception>
    public Checkpoint With(IEnumerable<TensorContent> adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        if (_base is not null)
            throw new InvalidOperationException("The checkpoint has an adapter already.");
        var tensors = new List<CheckpointTensor>();
        var names = new HashSet<string>();
        foreach (var content in adapter.OrderBy(content => Encoding.UTF8.GetBytes(content.Name), Utf8Order))
        {
            if (Contains(content.Name) || !names.Add(content.Name))
                throw new CheckpointException(Folder, content.Name, "a tensor of an adapter has this name, which is there already.");
            if (content.Type is not (TensorType.F32 or TensorType.F16 or TensorType.BF16))
                throw new CheckpointException(Folder, content.Name, $"an adapter of type {content.Type.Name()} is not supported.");
            var count = content.Bytes.Length / content.Type.Size();
            SafetensorsEntry entry = new(content.Name, content.Type, [.. content.Shape], count, 0, content.Bytes.Length);
            tensors.Add(new CheckpointTensor(new TensorMemory(content.Bytes), entry, Weights.Count + tensors.Count));
        }
        return new Checkpoint(this, tensors);
    }

    /// <summary>
    /// Lower-case hexadecimal SHA-256 that identifies the trained weights, whatever their split into files (SPEC 1). Hashed are the ASCII
    /// bytes <c>fedkseed-checkpoint/1</c>, then for each of <see cref="Weights"/> in ordinal order: the name's length in UTF-8 bytes
    /// (uint32) and those bytes, the type's length and name (likewise, such as <c>BF16</c>), the number of dimensions (uint32), each
    /// dimension (uint64), and the elements' bytes as stored. Integers are little-endian. An adapter does not count:
    /// <see cref="AdapterDigest"/>.
    /// </summary>
    public string Digest(CancellationToken cancellation = default) => DigestOf(Base.Weights, cancellation);

    /// <summary>The same of the tensors of <see cref="Adapter"/>.</summary>
    public string AdapterDigest() => DigestOf(Adapter, CancellationToken.None);

    private static string DigestOf(IReadOnlyList<CheckpointTensor> tensors, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData("fedkseed-checkpoint/1"u8);
        foreach (var tensor in tensors)
        {
            AppendDescription(hash, tensor);
            for (long done = 0; done < tensor.ByteCount;)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = (int)Math.Min(tensor.ByteCount - done, DigestChunk);
                hash.AppendData(tensor.Bytes(done, count));
                tensor.Release(done, count);
                done += count;
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public void Dispose() => _files.ForEach(file => file.Dispose());

    private static void AppendDescription(IncrementalHash hash, CheckpointTensor tensor)
    {
        Span<byte> number = stackalloc byte[sizeof(ulong)];
        foreach (var text in new[] { Encoding.UTF8.GetBytes(tensor.Name), Encoding.UTF8.GetBytes(tensor.Type.Name()) })
        {
            BinaryPrimitives.WriteUInt32LittleEndian(number, (uint)text.Length);
            hash.AppendData(number[..sizeof(uint)]);
            hash.AppendData(text);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(number, (uint)tensor.Shape.Count);
        hash.AppendData(number[..sizeof(uint)]);
        foreach (var dimension in tensor.Shape)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(number, (ulong)dimension);
            hash.AppendData(number);
        }
    }

    private static void RequireUnquantised(string folder, List<SafetensorsFile> files)
    {
        if (ForeignWeights.Quantisation([.. files.SelectMany(file => file.Header.Entries).Select(entry => entry.Name)]) is { } by)
            throw new CheckpointException(
                folder,
                null,
                $"the weights are quantised by {by}, which is not read: take the model's release in F32, F16 or BF16, or write one with "
                    + "transformers: from_pretrained(folder).dequantize().save_pretrained(other).");
    }

    private static void OpenShards(CheckpointIndex index, string folder, List<SafetensorsFile> files)
    {
        var unseen = new Dictionary<string, string>(index.FileOfTensor);
        foreach (var name in index.FileOfTensor.Values.Distinct().Order(StringComparer.Ordinal))
        {
            var file = SafetensorsFile.Open(Path.Combine(folder, name));
            files.Add(file);
            foreach (var entry in file.Header.Entries)
            {
                if (!index.FileOfTensor.TryGetValue(entry.Name, out var expected) || expected != name)
                    throw new CheckpointException(
                        file.Path, entry.Name, $"{IndexFile} says that this tensor is in {expected ?? "no file"}.");
                unseen.Remove(entry.Name);
            }
        }

        if (unseen.Count > 0)
            throw new CheckpointException(
                Path.Combine(folder, unseen.First().Value), unseen.First().Key,
                $"{IndexFile} says that this tensor is here, but it is not.");
    }

    private static List<CheckpointTensor> Ordered(List<SafetensorsFile> files)
    {
        var entries = files.SelectMany(
            file => file.Header.Entries, (file, entry) => (file, entry, utf8: Encoding.UTF8.GetBytes(entry.Name))).ToList();
        entries.Sort((a, b) => Utf8Order.Compare(a.utf8, b.utf8));
        var tensors = new List<CheckpointTensor>(entries.Count);
        var ordinal = 0;
        foreach ((var file, var entry, _) in entries)
            tensors.Add(new CheckpointTensor(file, entry, IsTrained(file, entry) ? ordinal++ : null));
        return tensors;
    }

    private static bool IsTrained(SafetensorsFile file, SafetensorsEntry entry)
    {
        if (!entry.Type.IsFloatingPoint() || entry.Name == RotaryBuffer
            || entry.Name.EndsWith($".{RotaryBuffer}", StringComparison.Ordinal))
            return false;
        return entry.Type is TensorType.F32 or TensorType.F16 or TensorType.BF16
            ? true
            : throw new CheckpointException(
                file.Path, $"{entry.Name}.dtype", $"weights of type {entry.Type.Name()} are not supported: F32, F16 and BF16 are.");
    }
}
