using System.Buffers;
using System.Text;
using System.Text.Json;

namespace FedKSeed.Checkpoints;

/// <summary>A tensor to be written.</summary>
/// <param name="Name">Unique in its checkpoint.</param>
/// <param name="Type">Type of the elements.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
/// <param name="Bytes">Elements in row-major order, little-endian.</param>
public sealed record TensorContent(string Name, TensorType Type, IReadOnlyList<long> Shape, ReadOnlyMemory<byte> Bytes);

/// <summary>A tensor's place in a checkpoint, without its elements.</summary>
/// <param name="Name">Unique in its checkpoint.</param>
/// <param name="Type">Type of the elements.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
public sealed record TensorShape(string Name, TensorType Type, IReadOnlyList<long> Shape)
{
    /// <exception cref="ArgumentException">More bytes than 64 bits count.</exception>
    internal long ByteCount => SafetensorsHeader.TryCount([.. Shape], Type.Size(), out var elements)
        ? elements * Type.Size()
        : throw new ArgumentException($"Tensor '{Name}': [{string.Join(", ", Shape)}] overflows 64 bits.");
}

/// <summary>Writes new safetensors files.</summary>
public static class CheckpointWriter
{
    private const int HeaderAlignment = 8;

    /// <summary>
    /// Writes one safetensors file that transformers loads (metadata <c>format: pt</c>). The order of the tensors in the file is that of
    /// the reference implementation, widest type first, then by name, so equal tensors give equal files. The file appears whole or not at
    /// all.
    /// </summary>
    /// <exception cref="ArgumentException">A name twice, or bytes that do not fill the shape.</exception>
    public static void Write(string path, IEnumerable<TensorContent> tensors)
    {
        var contents = ByName(tensors);
        var shapes = Ordered(contents.Values.Select(tensor => new TensorShape(tensor.Name, tensor.Type, tensor.Shape)));
        var header = Header(shapes);
        using var file = new AtomicFile(path, header.Length + shapes.Sum(tensor => tensor.ByteCount));
        file.Stream.Write(header);
        foreach (var tensor in shapes)
            file.Stream.Write(contents[tensor.Name].Bytes.Span);
        file.Commit();
    }

    /// <summary>
    /// Writes a file whose elements are all zero: what a model of a shape is, for measurements. It takes no room on a file system that
    /// knows sparse files.
    /// </summary>
    public static void WriteZeros(string path, IEnumerable<TensorShape> tensors)
    {
        var shapes = Ordered(tensors);
        var header = Header(shapes);
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write);
        file.Write(header);
        file.SetLength(header.Length + shapes.Sum(tensor => tensor.ByteCount));
    }

    private static List<TensorShape> Ordered(IEnumerable<TensorShape> tensors) =>
        [.. tensors.OrderByDescending(tensor => tensor.Type.Size()).ThenBy(tensor => tensor.Name, StringComparer.Ordinal)];

    private static Dictionary<string, TensorContent> ByName(IEnumerable<TensorContent> tensors)
    {
        var byName = new Dictionary<string, TensorContent>();
        foreach (var tensor in tensors)
        {
            if (!byName.TryAdd(tensor.Name, tensor))
                throw new ArgumentException($"Tensor '{tensor.Name}' is given twice.", nameof(tensors));
            if (new TensorShape(tensor.Name, tensor.Type, tensor.Shape).ByteCount != tensor.Bytes.Length)
                throw new ArgumentException(
                    $"Tensor '{tensor.Name}': {tensor.Bytes.Length} bytes are not {tensor.Type.Name()} "
                        + $"[{string.Join(", ", tensor.Shape)}].", nameof(tensors));
        }

        return byName;
    }

    /// <summary>The header of a file that holds these tensors one after the other.</summary>
    internal static byte[] Header(IReadOnlyList<TensorShape> tensors)
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Advance(WriteZeros(buffer, SafetensorsHeader.PrefixLength));
        using (var json = new Utf8JsonWriter(buffer))
            WriteEntries(json, tensors);
        var padding = -buffer.WrittenCount & (HeaderAlignment - 1);
        buffer.Write(Encoding.ASCII.GetBytes(new string(' ', padding)));
        var header = buffer.WrittenSpan.ToArray();
        BitConverter.TryWriteBytes(header, (ulong)(header.Length - SafetensorsHeader.PrefixLength));
        return header;
    }

    private static int WriteZeros(ArrayBufferWriter<byte> buffer, int count)
    {
        buffer.GetSpan(count)[..count].Clear();
        return count;
    }

    private static void WriteEntries(Utf8JsonWriter json, IReadOnlyList<TensorShape> tensors)
    {
        long offset = 0;
        json.WriteStartObject();
        json.WriteStartObject(SafetensorsHeader.MetadataField);
        json.WriteString("format", "pt");
        json.WriteEndObject();
        foreach (var tensor in tensors)
        {
            json.WriteStartObject(tensor.Name);
            json.WriteString("dtype", tensor.Type.Name());
            json.WriteStartArray("shape");
            foreach (var dimension in tensor.Shape)
                json.WriteNumberValue(dimension);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offset);
            json.WriteNumberValue(offset += tensor.ByteCount);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}
