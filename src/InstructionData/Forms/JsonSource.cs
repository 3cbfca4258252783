using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>
/// JSON as people keep data in it: an object a line, a list of objects, or one object over many lines. The text tells, not
/// the file's name.
/// </summary>
internal static class JsonSource
{
    // What the library adds to a message behind the reason.
    private static readonly string[] PositionMarks = [" Path: ", " LineNumber: "];

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    public static IEnumerable<RawRecord> Read(string path)
    {
        var first = File.ReadLines(path).FirstOrDefault(line => !string.IsNullOrWhiteSpace(line));
        if (first is null)
            return [];
        // A list is a document unless it is closed on the first line and more follows: then it is a wrong line among lines.
        var isDocument = first.AsSpan().TrimStart() is ['[', ..]
            ? !IsWhole(first) || IsOnlyLine(path)
            : !IsWhole(first) && IsWhole(File.ReadAllBytes(path));
        return isDocument ? Document(path) : Lines(path);
    }

    private static IEnumerable<RawRecord> Lines(string path)
    {
        var number = 0;
        foreach (var line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            RawRecord record;
            try
            {
                record = new RawRecord($"{path}:{number}", JsonSerializer.Deserialize<JsonElement>(line));
            }
            catch (JsonException e)
            {
                record = new RawRecord($"{path}:{number}", default, Reason(e));
            }
            yield return record;
        }
    }

    /// <summary>The elements of a list, or the one object. What follows an error of JSON itself cannot be read.</summary>
    private static List<RawRecord> Document(string path)
    {
        var bytes = File.ReadAllBytes(path);
        ReadOnlySpan<byte> text = bytes.AsSpan().StartsWith(ByteOrderMark) ? bytes.AsSpan(ByteOrderMark.Length) : bytes;
        List<RawRecord> records = [];
        Utf8JsonReader reader = new(text);
        var line = 1;
        long counted = 0;
        try
        {
            reader.Read();
            var isList = reader.TokenType == JsonTokenType.StartArray;
            while (!isList || (reader.Read() && reader.TokenType != JsonTokenType.EndArray))
            {
                line += text[(int)counted..(int)reader.TokenStartIndex].Count((byte)'\n');
                counted = reader.TokenStartIndex;
                records.Add(new RawRecord($"{path}:{line}", JsonElement.ParseValue(ref reader)));
                if (!isList)
                    break;
            }
            reader.Read();
        }
        catch (JsonException e)
        {
            records.Add(new RawRecord($"{path}:{(e.LineNumber ?? 0) + 1}", default, Reason(e)));
        }
        return records;
    }

    /// <summary>Without the position, which is relative to a piece that nobody sees.</summary>
    private static string Reason(JsonException e)
    {
        int[] ends = [.. PositionMarks.Select(mark => e.Message.IndexOf(mark, StringComparison.Ordinal)).Where(at => at > 0)];
        var reason = ends.Length == 0 ? e.Message : e.Message[..ends.Min()];
        return e.BytePositionInLine is { } column ? $"{reason.TrimEnd('.')}, at byte {column + 1} of the line." : reason;
    }

    private static bool IsOnlyLine(string path) => File.ReadLines(path).Count(line => !string.IsNullOrWhiteSpace(line)) == 1;

    private static bool IsWhole(string json) => IsWhole(System.Text.Encoding.UTF8.GetBytes(json));

    private static bool IsWhole(byte[] json)
    {
        Utf8JsonReader reader = new(json.AsSpan().StartsWith(ByteOrderMark) ? json.AsSpan(ByteOrderMark.Length) : json);
        try
        {
            while (reader.Read())
                reader.Skip();
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
