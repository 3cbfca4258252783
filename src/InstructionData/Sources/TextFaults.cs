using System.Text.Json;
using System.Text.Unicode;

namespace FedKSeed.InstructionData.Sources;

/// <summary>
/// What is not text in a record: bytes that are not UTF-8, and halves of characters (an emoji cut in two, <c>\ud83d</c> alone). Read
/// without this check they would become replacement characters, and be learned.
/// </summary>
internal static class TextFaults
{
    private static ReadOnlySpan<byte> Escape => "\\u"u8;

    /// <param name="json">The record as it stands in the file.</param>
    /// <returns>Which field, why, and what to do; null where all of it is text.</returns>
    public static string? Of(JsonElement record, ReadOnlySpan<byte> json)
    {
        var isUtf8 = Utf8.IsValid(json);
        return isUtf8 && json.IndexOf(Escape) < 0 || FirstFault(record, "") is not { } field ? null
            : isUtf8 || HasHalf(json) ? HalfCharacter(field)
            : NotUtf8(field);
    }

    /// <param name="field">Where the bytes lie that ought to be text.</param>
    /// <returns>Why they are none; null where they are.</returns>
    public static string? Of(string field, ReadOnlySpan<byte> text) =>
        Utf8.IsValid(text) ? null
        : HasHalf(text) ? HalfCharacter(field)
        : $"{field} is not UTF-8 text; whoever wrote the column took text in another encoding for it.";

    public static string NotUtf8(string field) =>
        $"{field} is not UTF-8 text; a file in Windows-1252 becomes UTF-8 with: iconv -f WINDOWS-1252 -t UTF-8.";

    private static string HalfCharacter(string field) =>
        $"{field} holds half a character (such as \\ud83d without its other half): text was cut apart within an emoji or the like.";

    // UTF-16 that came with halves has them as bytes ED A0 to ED BF, which are not UTF-8 either.
    private static bool HasHalf(ReadOnlySpan<byte> json)
    {
        for (var at = json.IndexOf((byte)0xED); at >= 0 && at + 1 < json.Length;)
        {
            if (json[at + 1] >= 0xA0)
                return true;
            var next = json[(at + 1)..].IndexOf((byte)0xED);
            at = next < 0 ? -1 : at + 1 + next;
        }
        return false;
    }

    private static string? FirstFault(JsonElement value, string place)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                return IsText(() => value.GetString()) ? null : place;
            case JsonValueKind.Array:
                return value.EnumerateArray().Select((item, i) => FirstFault(item, $"{place}[{i}]"))
                    .FirstOrDefault(fault => fault is not null);
            case JsonValueKind.Object:
                foreach (var field in value.EnumerateObject())
                {
                    if (!IsText(() => field.Name))
                        return place.Length == 0 ? "the name of a field" : $"the name of a field in {place}";
                    if (FirstFault(field.Value, place.Length == 0 ? $"\"{field.Name}\"" : $"{place}.{field.Name}") is { } fault)
                        return fault;
                }
                return null;
            default:
                return null;
        }
    }

    private static bool IsText(Func<string?> read)
    {
        try
        {
            read();
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
