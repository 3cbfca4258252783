using System.Text.Json;
using FedKSeed.InstructionData.Sources;

namespace FedKSeed.InstructionData.Forms;

/// <summary>An example and the record that it was read from.</summary>
/// <param name="Json">All fields, those that training has no use for included.</param>
public readonly record struct DataRecord(Example Example, JsonElement Json);

/// <summary>How to read data that does not speak for itself.</summary>
public sealed record DataReading
{
    /// <summary>The form of the records; null to tell from the first ones.</summary>
    public DataFormat? Format { get; init; }

    /// <summary>What the data calls the form's fields.</summary>
    public FieldNames Fields { get; init; } = FieldNames.AsTheyAre;

    /// <summary>The forms there are.</summary>
    public DataForms Forms { get; init; } = DataForms.Standard;

    /// <summary>Told how many bytes of a file were read, as they are.</summary>
    public Action<long>? BytesRead { get; init; }
}

/// <summary>Instruction data, read: JSON lines, JSON, CSV, TSV or Parquet, in any of the forms.</summary>
/// <param name="Records">At least one.</param>
public sealed record DataFile(DataFormat Format, IReadOnlyList<DataRecord> Records)
{
    /// <summary>As many broken records are reported at once.</summary>
    private const int MaxReportedFaults = 10;

    /// <summary>As many records tell the form of a file.</summary>
    private const int DetectionRecords = 20;

    /// <summary>The endings of data files, in the order in which a file is looked for.</summary>
    public static IReadOnlyList<string> Extensions => DataSource.Extensions;

    /// <summary>Whether the name ends as a data file's does.</summary>
    public static bool IsNamedSo(string path) => Extensions.Any(extension => path.EndsWith(extension, StringComparison.OrdinalIgnoreCase));

    /// <summary>The file's name without what says how to read it: a client's name.</summary>
    public static string NameOf(string path)
    {
        var name = Path.GetFileName(path);
        var extension = Extensions.Where(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase))
            .MaxBy(ending => ending.Length);
        return extension is null ? Path.GetFileNameWithoutExtension(name) : name[..^extension.Length];
    }

    /// <summary>The examples of a file.</summary>
    /// <inheritdoc cref="Read(string, DataFormat?)"/>
    public static IReadOnlyList<Example> Load(string path, DataFormat? format = null) => Load(path, new DataReading { Format = format });

    /// <summary>The examples of a file.</summary>
    /// <inheritdoc cref="Stream"/>
    public static IReadOnlyList<Example> Load(string path, DataReading reading) =>
        [.. Stream(path, reading).Records.Select(record => record.Example)];

    /// <param name="path">The file; its name's ending says how to read it, and any other is JSON.</param>
    /// <param name="format">Null to tell from the first records.</param>
    /// <exception cref="InvalidDataException">Records are broken: the message has file, line and reason of the first ten.</exception>
    public static DataFile Read(string path, DataFormat? format = null) => Read(path, new DataReading { Format = format });

    /// <inheritdoc cref="Stream"/>
    public static DataFile Read(string path, DataReading reading)
    {
        var (format, records) = Stream(path, reading);
        return new DataFile(format, [.. records]);
    }

    /// <summary>The form of a file, told from its beginning, and its records, each read when it is asked for.</summary>
    /// <exception cref="InvalidDataException">
    /// Records are broken: the message has file, line and reason of the first ten. It comes when the records have been asked for, or at
    /// once where the form cannot be told.
    /// </exception>
    public static (DataFormat Format, IEnumerable<DataRecord> Records) Stream(string path, DataReading reading)
    {
        ArgumentNullException.ThrowIfNull(reading);
        var form = reading.Format is { } format ? reading.Forms.Find(format) : Detect(path, reading);
        return (new DataFormat(form.Name), Parsed(path, form, reading));
    }

    private static IEnumerable<RawRecord> Raw(string path, DataReading reading, Action<long>? read) =>
        DataSource.Read(path, read).SelectMany(record => reading.Forms.Unfolded(record, path));

    private static IDataForm Detect(string path, DataReading reading)
    {
        List<RawRecord> good = [];
        List<string> faults = [];
        foreach (var record in Raw(path, reading, read: null))
        {
            if (record.Fault is null)
                good.Add(record);
            else
                faults.Add($"{record.Place}: {record.Fault}");
            if (good.Count == DetectionRecords || faults.Count == MaxReportedFaults)
                break;
        }
        var fields = good.ConvertAll(record => new RecordFields(record.Json, reading.Fields));
        if (reading.Forms.Detect(fields) is { } form)
            return form;
        if (good.Count > 0)
            faults.Insert(0, Unknown(good[0], reading));
        throw new InvalidDataException(faults.Count > 0 ? string.Join(Environment.NewLine, faults) : $"{path}: there is no example in it.");
    }

    private static IEnumerable<DataRecord> Parsed(string path, IDataForm form, DataReading reading)
    {
        List<string> faults = [];
        var count = 0;
        foreach (var raw in Raw(path, reading, reading.BytesRead))
        {
            DataRecord? record = null;
            try
            {
                record = raw.Fault is null ? Parse(raw.Json, form, reading.Fields) : throw new FormatException(raw.Fault);
            }
            catch (FormatException e)
            {
                faults.Add($"{raw.Place}: {e.Message}");
                if (faults.Count == MaxReportedFaults)
                    break;
            }
            if (record is null)
                continue;
            count++;
            yield return record.Value;
        }
        if (faults.Count > 0)
            throw new InvalidDataException(string.Join(Environment.NewLine, faults));
        if (count == 0)
            throw new InvalidDataException($"{path}: there is no example in it.");
    }

    private static DataRecord Parse(JsonElement json, IDataForm form, FieldNames names)
    {
        RecordFields fields = new(json, names);
        fields.RequireObject();
        return new DataRecord(form.Read(fields), json);
    }

    private static string Unknown(RawRecord record, DataReading reading)
    {
        var fields = record.Json.ValueKind != JsonValueKind.Object ? $"of {record.Json.ValueKind}"
            : string.Join(", ", record.Json.EnumerateObject().Select(field => field.Name).DefaultIfEmpty("(none)"));
        var named = reading.Fields.AreAsTheyAre
            ? "Fields of other names are named with --fields: instruction=title,output=body"
            : $"They were taken as --fields says: {reading.Fields}";
        return $"{record.Place}: the fields {fields} are of no known form. Known are: {reading.Forms.Describe()}. {named}.";
    }
}
