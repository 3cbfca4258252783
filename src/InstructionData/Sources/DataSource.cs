using ICSharpCode.SharpZipLib;
using ZstdSharp;

namespace FedKSeed.InstructionData.Sources;

/// <summary>What a file's name says about how to read it.</summary>
internal static class DataSource
{
    private const string Parquet = ".parquet";

    private static readonly (string[] Extensions, Func<SourceFile, IEnumerable<RawRecord>> Read)[] Texts =
    [
        ([".jsonl", ".json"], JsonSource.Read),
        ([".csv", ".tsv"], TableSource.Read),
    ];

    /// <summary>The endings of data files, in the order in which a file is looked for.</summary>
    public static IReadOnlyList<string> Extensions { get; } =
        [.. Texts.SelectMany(text => text.Extensions).SelectMany(SourceFile.WithCompressed), Parquet];

    /// <summary>All records of a file, one at a time. A file of another name is JSON.</summary>
    /// <param name="read">Told how many bytes of the file were read.</param>
    /// <exception cref="InvalidDataException">The file is no Parquet file, or not compressed so, though its name says it.</exception>
    public static IEnumerable<RawRecord> Read(string path, Action<long>? read = null)
    {
        if (path.EndsWith(Parquet, StringComparison.OrdinalIgnoreCase))
            return ParquetSource.Read(path, read);
        SourceFile file = new(path, read);
        var text = Array.Find(Texts, text => text.Extensions.Any(file.Is));
        return Named(path, () => (text.Read ?? JsonSource.Read)(file));
    }

    /// <summary>Faults of decompression and of size, with the file's name.</summary>
    private static IEnumerable<RawRecord> Named(string path, Func<IEnumerable<RawRecord>> read)
    {
        using var records = OrNamed(path, () => read().GetEnumerator());
        while (OrNamed(path, records.MoveNext))
            yield return records.Current;
    }

    private static T OrNamed<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception fault) when (fault is InvalidDataException or EndOfStreamException or ZstdException or SharpZipBaseException)
        {
            throw new InvalidDataException($"{path}: {fault.Message}", fault);
        }
    }
}
