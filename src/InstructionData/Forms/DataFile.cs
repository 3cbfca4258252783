using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>An example and the record that it was read from.</summary>
/// <param name="Json">All fields, those that training has no use for included.</param>
public sealed record DataRecord(Example Example, JsonElement Json);

/// <summary>Instruction data, read: JSON lines, JSON or Parquet, in any of the <see cref="DataFormat"/>s.</summary>
/// <param name="Records">At least one.</param>
public sealed record DataFile(DataFormat Format, IReadOnlyList<DataRecord> Records)
{
    /// <summary>As many broken records are reported at once.</summary>
    private const int MaxReportedFaults = 10;

    /// <summary>As many records tell the form of a file.</summary>
    private const int DetectionRecords = 20;

    /// <summary>The endings of data files, in the order in which a file is looked for.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [".jsonl", ".json", ".parquet"];

    /// <summary>The examples of a file.</summary>
    /// <inheritdoc cref="Read"/>
    public static IReadOnlyList<Example> Load(string path, DataFormat? format = null) =>
        [.. Read(path, format).Records.Select(record => record.Example)];

    /// <param name="path">The file; one named *.parquet is Parquet, any other JSON.</param>
    /// <param name="format">Null to tell from the first records.</param>
    /// <exception cref="InvalidDataException">Records are broken: the message has file, line and reason of the first ten.</exception>
    public static DataFile Read(string path, DataFormat? format = null)
    {
        RawRecord[] raw = [.. RawRecord.Read(path)];
        JsonElement[] first = [.. raw.Where(record => record.Fault is null).Take(DetectionRecords).Select(record => record.Json)];
        var form = format ?? DataFormats.Detect(first);
        List<DataRecord> records = [];
        List<string> faults = [];
        foreach (var record in raw.TakeWhile(_ => faults.Count < MaxReportedFaults))
        {
            try
            {
                if (record.Fault is not null)
                    throw new FormatException(record.Fault);
                if (form is { } known)
                    records.Add(new DataRecord(RecordParser.Parse(known, record.Json), record.Json));
            }
            catch (FormatException e)
            {
                faults.Add($"{record.Place}: {e.Message}");
            }
        }
        if (form is null && first.Length > 0)
        {
            var place = raw.First(record => record.Fault is null).Place;
            faults.Insert(0, $"{place}: the fields {FieldsOf(first[0])} are of no known form. Known are: {DataFormats.Describe()}.");
        }
        if (faults.Count > 0)
            throw new InvalidDataException(string.Join(Environment.NewLine, faults));
        return records.Count > 0
            ? new DataFile(form!.Value, records)
            : throw new InvalidDataException($"{path}: there is no example in it.");
    }

    private static string FieldsOf(JsonElement json) =>
        json.ValueKind != JsonValueKind.Object ? $"of {json.ValueKind}"
        : string.Join(", ", json.EnumerateObject().Select(field => field.Name).DefaultIfEmpty("(none)"));
}
