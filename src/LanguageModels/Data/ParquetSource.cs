using System.Text.Json;
using Parquet.Schema;
using Parquet.Serialization;

namespace FedKSeed.LanguageModels.Data;

/// <summary>Rows of a Parquet file as records; a column is a field, and a null is a field that is absent.</summary>
internal static class ParquetSource
{
    public static IEnumerable<RawRecord> Read(string path)
    {
        DeserializationResult<Dictionary<string, object>> table = Table(path);
        return table.Data.Select((row, i) => new RawRecord($"{path}: row {i + 1}", JsonSerializer.SerializeToElement(Flat(row, table.Schema.Fields))));
    }

    private static DeserializationResult<Dictionary<string, object>> Table(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            // The library reads asynchronously only, and nobody waits here who could do something else.
            return ParquetSerializer.DeserializeUntypedAsync(file).GetAwaiter().GetResult();
        }
        // A damaged file shows in as many ways as there are bytes in it.
        catch (Exception e) when (e is not (OutOfMemoryException or FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException))
        {
            throw new InvalidDataException($"{path}: not a readable Parquet file: {e.Message}", e);
        }
    }

    // The library gives a list of plain values as a list of lists of one value each.
    private static Dictionary<string, object?> Flat(Dictionary<string, object> row, IReadOnlyList<Field> fields)
    {
        HashSet<string> plain = [.. fields.OfType<ListField>().Where(list => list.Item is DataField).Select(list => list.Name)];
        return row.ToDictionary(cell => cell.Key, cell => plain.Contains(cell.Key) && cell.Value is System.Collections.IList items
            ? items.Cast<object?>().Select(item => item is System.Collections.IList { Count: 1 } single ? single[0] : item).ToArray()
            : cell.Value)!;
    }
}
