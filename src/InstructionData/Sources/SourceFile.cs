using ICSharpCode.SharpZipLib.GZip;
using ZstdSharp;

namespace FedKSeed.InstructionData.Sources;

/// <summary>A file of data as UTF-8 without a mark: decompressed by its name, and from UTF-16 where its mark says so.</summary>
/// <param name="Path">As it stands in messages.</param>
/// <param name="Read">Told how many bytes of the file, as it lies on the disk, were read.</param>
internal sealed record SourceFile(string Path, Action<long>? Read = null)
{
    /// <summary>More bytes of one record are an accident or an attack.</summary>
    public const int MaxRecordBytes = 1 << 28;

    private static readonly string[] Compressions = [".gz", ".zst"];

    private static ReadOnlySpan<byte> Utf8Mark => [0xEF, 0xBB, 0xBF];

    private static ReadOnlySpan<byte> LittleEndianMark => [0xFF, 0xFE];

    private static ReadOnlySpan<byte> BigEndianMark => [0xFE, 0xFF];

    /// <summary>The endings of files that can be compressed, compressed or not.</summary>
    public static IEnumerable<string> WithCompressed(string extension) => Compressions.Select(each => extension + each).Prepend(extension);

    /// <summary>Whether the name, but for what it is compressed with, ends so.</summary>
    public bool Is(string extension) =>
        WithCompressed(extension).Any(ending => Path.EndsWith(ending, StringComparison.OrdinalIgnoreCase));

    /// <summary>The text from its beginning. Bytes that are not UTF-8 are left in it, to be found.</summary>
    public Stream Text()
    {
        Span<byte> head = stackalloc byte[Utf8Mark.Length];
        int length;
        using (var first = Decompressed(measured: false))
            length = first.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
        head = head[..length];
        var text = Decompressed(measured: true);
        var (isLittle, isBig) = (head.StartsWith(LittleEndianMark), head.StartsWith(BigEndianMark));
        text.ReadExactly(stackalloc byte[isLittle || isBig ? LittleEndianMark.Length : head.StartsWith(Utf8Mark) ? Utf8Mark.Length : 0]);
        return isLittle || isBig ? new Utf16Stream(text, isBig) : text;
    }

    private Stream Decompressed(bool measured)
    {
        Stream file = new FileStream(Path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16, FileOptions.SequentialScan);
        if (measured && Read is not null)
            file = new MeasuredStream(file, Read);
        // Not the framework's: of a torn file its GZipStream gives what is there, and no error.
        return Path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? new GZipInputStream(file)
            : Path.EndsWith(".zst", StringComparison.OrdinalIgnoreCase) ? new DecompressionStream(file, leaveOpen: false)
            : file;
    }
}
