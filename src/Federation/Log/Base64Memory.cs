using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FedKSeed.Federation.Log;

/// <summary>Vectors in JSON as base64 of their little-endian bytes: a third of the size of decimal digits, and exact for floats.</summary>
public sealed class Base64Memory<T> : JsonConverter<ReadOnlyMemory<T>> where T : unmanaged
{
    public override ReadOnlyMemory<T> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var bytes = reader.GetBytesFromBase64();
        var size = Marshal.SizeOf<T>();
        if (bytes.Length % size != 0)
            throw new JsonException($"A vector of {bytes.Length} bytes is not a whole number of {size}-byte elements.");
        return MemoryMarshal.Cast<byte, T>(bytes).ToArray();
    }

    public override void Write(Utf8JsonWriter writer, ReadOnlyMemory<T> value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteBase64StringValue(MemoryMarshal.AsBytes(value.Span));
    }
}
