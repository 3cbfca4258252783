using System.Collections;
using System.Text.Json;
using Parquet.Serialization;

namespace FedKSeed.InstructionData.Forms;

/// <summary>Rows of a Parquet file as records; a column is a field, and a null is a field that is absent.</summary>
internal static class ParquetSource
{
    public static IEnumerable<RawRecord> Read(string path)
    {
        var table = Table(path);
        return table.Data.Select((row, i) => new RawRecord($"{path}: row {i + 1}", JsonSerializer.SerializeToElement(Plain(row))));
    }

    private static DeserializationResult<Dictionary<string, object>> Table(string path)
    {
        try
        {
            using var file = File.OpenRead(path);
            // The library reads asynchronously only, and nobody waits here who could do something else.
            return ParquetSerializer.DeserializeUntypedAsync(file).GetAwaiter().GetResult();
        }
        // A damaged file shows in as many ways as there are bytes in it.
        catch (Exception e) when (e is not (OutOfMemoryException or FileNotFoundException
            or DirectoryNotFoundException or UnauthorizedAccessException))
        {
            throw new InvalidDataException($"{path}: not a readable Parquet file: {e.Message}", e);
        }
    }

    // Strings within lists come as memory of characters, which JSON would write one by one.
    private static object? Plain(object? cell) => cell switch
    {
        ReadOnlyMemory<char> text => text.ToString(),
        string text => text,
        byte[] bytes => bytes,
        IDictionary<string, object> fields => fields.ToDictionary(field => field.Key, field => Plain(field.Value)),
        IList items => items.Cast<object?>().Select(Plain).ToArray(),
        _ => cell,
    };
}
