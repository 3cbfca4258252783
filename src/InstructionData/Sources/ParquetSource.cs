using System.Collections;
using System.Text.Json;
using Parquet;
using Parquet.Schema;
using Parquet.Serialization;

namespace FedKSeed.InstructionData.Sources;

/// <summary>Rows of a Parquet file as records; a column is a field, and a null is a field that is absent.</summary>
internal static class ParquetSource
{
    // What the library makes of bytes that are not UTF-8; where there is none, there was nothing to mend.
    private const string Replacement = "\uFFFD";

    public static IEnumerable<RawRecord> Read(string path, Action<long>? read)
    {
        // The library reads asynchronously only, and nobody waits here who could do something else.
        var table = OrNamed(path, file => ParquetSerializer.DeserializeUntypedAsync(file).GetAwaiter().GetResult());
        read?.Invoke(new FileInfo(path).Length);
        Lazy<Dictionary<long, string>> faults = new(() => OrNamed(path, file => FaultsOf(file).GetAwaiter().GetResult()));
        return table.Data.Select((row, i) =>
        {
            var cells = Plain(row);
            var fault = IsReplaced(cells) ? faults.Value.GetValueOrDefault(i) : null;
            return new RawRecord($"{path}: row {i + 1}", fault is null ? JsonSerializer.SerializeToElement(cells) : default, fault);
        });
    }

    private static T OrNamed<T>(string path, Func<FileStream, T> read)
    {
        try
        {
            using var file = File.OpenRead(path);
            return read(file);
        }
        // A damaged file shows in as many ways as there are bytes in it.
        catch (Exception e) when (e is not (OutOfMemoryException or FileNotFoundException
            or DirectoryNotFoundException or UnauthorizedAccessException))
        {
            throw new InvalidDataException($"{path}: not a readable Parquet file: {e.Message}", e);
        }
    }

    /// <summary>
    /// The first fault of each row that has one, by the number of the row from 0: columns of text are read as the bytes that they are.
    /// </summary>
    private static async Task<Dictionary<long, string>> FaultsOf(FileStream file)
    {
        await using var reader = await ParquetReader.CreateAsync(file);
        // The library goes by the types that the file declares; a column without a type of text is one of bytes.
        foreach (var element in reader.Metadata!.Schema.Where(element => element.Type == Parquet.Meta.Type.BYTE_ARRAY))
            (element.ConvertedType, element.LogicalType) = (null, null);
        Dictionary<long, string> faults = [];
        long before = 0;
        for (var i = 0; i < reader.RowGroupCount; i++)
        {
            using var group = reader.OpenRowGroupReader(i);
            foreach (var column in reader.Schema.DataFields.Where(column => column.SchemaElement?.Type == Parquet.Meta.Type.BYTE_ARRAY))
                await AddFaults(group, column, before, faults);
            before += group.RowCount;
        }
        return faults;
    }

    private static async Task AddFaults(ParquetRowGroupReader group, DataField column, long before, Dictionary<long, string> faults)
    {
        var count = checked((int)group.GetMetadata(column)!.MetaData!.NumValues);
        var values = new ReadOnlyMemory<byte>[count];
        int[] definitions = new int[count], repetitions = new int[count];
        await group.ReadRawAsync<ReadOnlyMemory<byte>>(column, values, definitions, repetitions);
        var (row, value) = (before - 1, 0);
        for (var i = 0; i < count; i++)
        {
            // Level 0 of repetition begins a row; values that are null have lower levels of definition and no place.
            row += column.MaxRepetitionLevel == 0 || repetitions[i] == 0 ? 1 : 0;
            if (definitions[i] < column.MaxDefinitionLevel)
                continue;
            if (TextFaults.Of($"\"{column.Path.FirstPart}\"", values[value++].Span) is { } fault)
                faults.TryAdd(row, fault);
        }
    }

    private static bool IsReplaced(object? cell) => cell switch
    {
        string text => text.Contains(Replacement, StringComparison.Ordinal),
        Dictionary<string, object?> fields => fields.Any(field => IsReplaced(field.Key) || IsReplaced(field.Value)),
        object?[] items => Array.Exists(items, IsReplaced),
        _ => false,
    };

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
