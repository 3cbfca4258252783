using System.Text.Json;

namespace FedKSeed.InstructionData.Sources;

/// <summary>
/// JSON as people keep data in it: an object a line, a list of objects, or one object over many lines. The text tells, not
/// the file's name.
/// </summary>
internal static class JsonSource
{
    // What the library adds to a message behind the reason.
    private static readonly string[] PositionMarks = [" Path: ", " LineNumber: "];

    public static IEnumerable<RawRecord> Read(SourceFile file)
    {
        byte[]? first;
        using (var text = file.Text())
            first = TextLines.Of(text).FirstOrDefault(line => !IsBlank(line.Span)).ToArray();
        if (first is null or [])
            return [];
        // A list is a document unless it is closed on the first line and more follows: then it is a wrong line among lines.
        var isDocument = first.AsSpan().TrimStart(" \t\r"u8) is [(byte)'[', ..]
            ? !IsWhole(first) || IsOnlyLine(file)
            : !IsWhole(first) && IsWhole(file);
        return isDocument ? JsonListReader.Read(file) : Lines(file);
    }

    /// <summary>Without the position, which is relative to a piece that nobody sees.</summary>
    public static string Reason(JsonException e)
    {
        int[] ends = [.. PositionMarks.Select(mark => e.Message.IndexOf(mark, StringComparison.Ordinal)).Where(at => at > 0)];
        var reason = ends.Length == 0 ? e.Message : e.Message[..ends.Min()];
        return e.BytePositionInLine is { } column ? $"{reason.TrimEnd('.')}, at byte {column + 1} of the line." : reason;
    }

    /// <summary>A record, or why it is none: broken JSON, or strings that are not text.</summary>
    /// <param name="place">Where it stands, for messages.</param>
    public static RawRecord Record(string place, JsonElement json, ReadOnlySpan<byte> text) =>
        TextFaults.Of(json, text) is { } fault ? new RawRecord(place, default, fault) : new RawRecord(place, json);

    private static IEnumerable<RawRecord> Lines(SourceFile file)
    {
        using var text = file.Text();
        var number = 0;
        foreach (var line in TextLines.Of(text))
        {
            number++;
            if (!IsBlank(line.Span))
                yield return Line($"{file.Path}:{number}", line.Span);
        }
    }

    private static RawRecord Line(string place, ReadOnlySpan<byte> line)
    {
        try
        {
            return Record(place, JsonSerializer.Deserialize<JsonElement>(line), line);
        }
        catch (JsonException e)
        {
            return new RawRecord(place, default, Reason(e));
        }
    }

    private static bool IsBlank(ReadOnlySpan<byte> line) => line.Trim(" \t\r"u8).IsEmpty;

    private static bool IsOnlyLine(SourceFile file)
    {
        using var text = file.Text();
        return TextLines.Of(text).Where(line => !IsBlank(line.Span)).Take(2).Count() == 1;
    }

    private static bool IsWhole(SourceFile file)
    {
        using var text = file.Text();
        using MemoryStream whole = new();
        var piece = new byte[1 << 16];
        while (text.Read(piece) is > 0 and var count)
        {
            if (whole.Length > SourceFile.MaxRecordBytes)
                return false;
            whole.Write(piece.AsSpan(0, count));
        }
        return IsWhole(whole.GetBuffer().AsSpan(0, (int)whole.Length));
    }

    private static bool IsWhole(ReadOnlySpan<byte> json)
    {
        Utf8JsonReader reader = new(json);
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
