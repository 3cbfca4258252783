using System.Buffers;
using System.Text;
using System.Text.Json;

namespace FedKSeed.Perturbation;

/// <summary>A tensor to be written.</summary>
/// <param name="Name">Unique in its checkpoint.</param>
/// <param name="Type">Type of the elements.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
/// <param name="Bytes">Elements in row-major order, little-endian.</param>
public sealed record TensorContent(string Name, TensorType Type, IReadOnlyList<long> Shape, ReadOnlyMemory<byte> Bytes);

/// <summary>Writes new safetensors files.</summary>
public static class CheckpointWriter
{
    private const int HeaderAlignment = 8;

    /// <summary>
    /// Writes one safetensors file that transformers loads (metadata <c>format: pt</c>). The order of the tensors in the file is that of the
    /// reference implementation, widest type first, then by name, so equal tensors give equal files. The file appears whole or not at all.
    /// </summary>
    /// <exception cref="ArgumentException">A name twice, or bytes that do not fill the shape.</exception>
    public static void Write(string path, IEnumerable<TensorContent> tensors)
    {
        List<TensorContent> ordered = [.. tensors.OrderByDescending(tensor => tensor.Type.Size()).ThenBy(tensor => tensor.Name, StringComparer.Ordinal)];
        Check(ordered);
        byte[] header = Header(ordered);
        using var file = new AtomicFile(path, header.Length + ordered.Sum(tensor => (long)tensor.Bytes.Length));
        file.Stream.Write(header);
        foreach (TensorContent tensor in ordered)
            file.Stream.Write(tensor.Bytes.Span);
        file.Commit();
    }

    private static void Check(List<TensorContent> tensors)
    {
        var names = new HashSet<string>();
        foreach (TensorContent tensor in tensors)
        {
            if (!names.Add(tensor.Name))
                throw new ArgumentException($"Tensor '{tensor.Name}' is given twice.", nameof(tensors));
            if (!SafetensorsHeader.TryCount([.. tensor.Shape], tensor.Type.Size(), out long elements)
                || elements * tensor.Type.Size() != tensor.Bytes.Length)
                throw new ArgumentException(
                    $"Tensor '{tensor.Name}': {tensor.Bytes.Length} bytes are not {tensor.Type.Name()} [{string.Join(", ", tensor.Shape)}].", nameof(tensors));
        }
    }

    private static byte[] Header(List<TensorContent> tensors)
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Advance(WriteZeros(buffer, SafetensorsHeader.PrefixLength));
        using (var json = new Utf8JsonWriter(buffer))
            WriteEntries(json, tensors);
        int padding = -buffer.WrittenCount & (HeaderAlignment - 1);
        buffer.Write(Encoding.ASCII.GetBytes(new string(' ', padding)));
        byte[] header = buffer.WrittenSpan.ToArray();
        BitConverter.TryWriteBytes(header, (ulong)(header.Length - SafetensorsHeader.PrefixLength));
        return header;
    }

    private static int WriteZeros(ArrayBufferWriter<byte> buffer, int count)
    {
        buffer.GetSpan(count)[..count].Clear();
        return count;
    }

    private static void WriteEntries(Utf8JsonWriter json, List<TensorContent> tensors)
    {
        long offset = 0;
        json.WriteStartObject();
        json.WriteStartObject(SafetensorsHeader.MetadataField);
        json.WriteString("format", "pt");
        json.WriteEndObject();
        foreach (TensorContent tensor in tensors)
        {
            json.WriteStartObject(tensor.Name);
            json.WriteString("dtype", tensor.Type.Name());
            json.WriteStartArray("shape");
            foreach (long dimension in tensor.Shape)
                json.WriteNumberValue(dimension);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offset);
            json.WriteNumberValue(offset += tensor.Bytes.Length);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}
