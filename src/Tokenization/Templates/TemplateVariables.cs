using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FedKSeed.Tokenization.Templates;

/// <summary>
/// Variables on their way into the engine, whose numbers are all of one kind: those that would come out of it otherwise than they went in,
/// as 5.0 or a whole number of twenty digits, go in as objects that hold their text.
/// </summary>
internal static class TemplateVariables
{
    private const string Marker = "\0number"; // as in python.js
    private const int SafeDigits = 15;

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string ToJson(JsonObject variables)
    {
        ArrayBufferWriter<byte> bytes = new();
        using Utf8JsonWriter writer = new(bytes, Options);
        Write(writer, JsonSerializer.SerializeToElement(variables));
        writer.Flush();
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    private static void Write(Utf8JsonWriter writer, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                writer.WriteStartObject();
                foreach (var field in value.EnumerateObject())
                {
                    writer.WritePropertyName(field.Name);
                    Write(writer, field.Value);
                }
                writer.WriteEndObject();
                break;
            case JsonValueKind.Array:
                writer.WriteStartArray();
                foreach (var item in value.EnumerateArray())
                    Write(writer, item);
                writer.WriteEndArray();
                break;
            case JsonValueKind.Number when value.GetRawText() is { } text && (text.Length > SafeDigits || text.AsSpan().ContainsAny(".eE")):
                writer.WriteStartObject();
                writer.WriteString(Marker, text);
                writer.WriteEndObject();
                break;
            default:
                value.WriteTo(writer);
                break;
        }
    }
}
