using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using CsvHelper;
using CsvHelper.Configuration;

namespace FedKSeed.InstructionData.Sources;

/// <summary>
/// Rows of a CSV file (RFC 4180) or a TSV file as records: the first row names the fields, every cell is a string. Where the first row
/// has no comma but a semicolon, semicolons separate.
/// </summary>
internal static class TableSource
{
    // Stands for bytes that are not UTF-8: no text may hold this code point.
    private const char NotText = '\uFFFF';

    private static readonly JsonWriterOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static IEnumerable<RawRecord> Read(SourceFile file)
    {
        var isTabbed = file.Is(".tsv");
        using StreamReader text = new(file.Text(), Encoding(), detectEncodingFromByteOrderMarks: false);
        var badQuote = false;
        CsvConfiguration configuration = new(CultureInfo.InvariantCulture)
        {
            Delimiter = isTabbed ? "\t" : Delimiter(file),
            Mode = CsvMode.RFC4180,
            // A quote within a cell that does not begin with one is a character like any other.
            BadDataFound = bad => badQuote |= bad.Field.StartsWith('"'),
        };
        using CsvParser parser = new(text, configuration);
        string[]? names = null;
        for (var before = 0; parser.Read(); before = parser.RawRow)
        {
            var cells = parser.Record!;
            var place = $"{file.Path}:{FirstLine(parser)}";
            if (badQuote)
            {
                // A cell that does not end takes all that follows: the line after the last good row is where it may begin.
                yield return new RawRecord(
                    $"{file.Path}:{before + 1}", default, "a cell in quotes does not end with a quote before the next separator.")
                {
                    IsEndOfReading = true,
                };
                yield break;
            }
            if (names is not null)
            {
                yield return Record(place, names, cells);
                continue;
            }
            names = cells;
            if (HeaderFault(names) is not { } fault)
                continue;
            yield return new RawRecord(place, default, fault) { IsEndOfReading = true };
            yield break;
        }
    }

    /// <summary>The line where a row begins: cells hold line feeds, and the parser knows where it ends.</summary>
    private static int FirstLine(CsvParser parser) =>
        parser.RawRow - Math.Max(0, parser.RawRecord.AsSpan().Count('\n') - (parser.RawRecord.EndsWith('\n') ? 1 : 0));

    private static string? HeaderFault(string[] names) =>
        Array.Exists(names, name => name.Contains(NotText, StringComparison.Ordinal)) ? TextFaults.NotUtf8("the row of names")
        : Array.Exists(names, string.IsNullOrWhiteSpace) ? "the first row names the columns, and a name in it is empty."
        : names.Distinct(StringComparer.Ordinal).Count() < names.Length
            ? "the first row names the columns, and two names in it are the same."
            : null;

    private static RawRecord Record(string place, string[] names, string[] cells)
    {
        if (cells.Length != names.Length)
            return new RawRecord(place, default, $"the row has {cells.Length} cells, the first row names {names.Length} columns.");
        if (Array.FindIndex(cells, cell => cell.Contains(NotText, StringComparison.Ordinal)) is >= 0 and var bad)
            return new RawRecord(place, default, TextFaults.NotUtf8($"\"{names[bad]}\""));
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter writer = new(buffer, Json))
        {
            writer.WriteStartObject();
            foreach (var (name, cell) in names.Zip(cells))
                writer.WriteString(name, cell);
            writer.WriteEndObject();
        }
        return new RawRecord(place, JsonSerializer.Deserialize<JsonElement>(buffer.WrittenSpan));
    }

    private static string Delimiter(SourceFile file)
    {
        using StreamReader text = new(file.Text(), Encoding(), detectEncodingFromByteOrderMarks: false);
        var first = text.ReadLine() ?? "";
        return !first.Contains(',', StringComparison.Ordinal) && first.Contains(';', StringComparison.Ordinal) ? ";" : ",";
    }

    private static Encoding Encoding() => System.Text.Encoding.GetEncoding(
        System.Text.Encoding.UTF8.CodePage,
        EncoderFallback.ExceptionFallback,
        new DecoderReplacementFallback(NotText.ToString()));
}
