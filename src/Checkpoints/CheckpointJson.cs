using System.Text.Json;

namespace FedKSeed.Checkpoints;

/// <summary>JSON out of a checkpoint: headers and index files.</summary>
internal static class CheckpointJson
{
    /// <exception cref="CheckpointException">Not JSON, or with strings that are not text (a lone surrogate).</exception>
    public static JsonDocument Parse(string path, string? field, ReadOnlyMemory<byte> json)
    {
        try
        {
            CheckStrings(json.Span);
            return JsonDocument.Parse(json);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointException(path, field, $"not JSON: {e.Message}");
        }
    }

    /// <summary>The parser leaves strings undecoded, and would fail where one is first looked at.</summary>
    private static void CheckStrings(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String)
                _ = reader.GetString();
        }
    }
}
