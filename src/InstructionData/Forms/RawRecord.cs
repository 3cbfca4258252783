using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>A record as it lies in a file, before anybody knows its form.</summary>
/// <param name="Place">File and line, row or field, for messages.</param>
/// <param name="Json">The record; undefined where it could not be read.</param>
/// <param name="Fault">Why it could not be read; null where it could.</param>
internal readonly record struct RawRecord(string Place, JsonElement Json, string? Fault = null)
{
    /// <summary>All records of a file; a task file of Natural Instructions gives its instances.</summary>
    /// <exception cref="InvalidDataException">The file is no Parquet file, though its name says so.</exception>
    public static IEnumerable<RawRecord> Read(string path)
    {
        var records = path.EndsWith(".parquet", StringComparison.OrdinalIgnoreCase)
            ? ParquetSource.Read(path)
            : JsonSource.Read(path);
        return records.SelectMany(record => TaskFile.Is(record.Json) ? TaskFile.Instances(record, path) : [record]);
    }
}
