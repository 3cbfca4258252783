using System.Buffers;
using System.Text;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Versions;

/// <summary>
/// A federation's log as a file: one entry a line, each ended by a line feed and nothing else, so that not one byte of it can change
/// unnoticed.
/// </summary>
public static class LogFile
{
    private const int BufferSize = 1 << 16;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Entries in order, read one at a time; each is checked against the one before it.</summary>
    /// <exception cref="InvalidEntryException">A line is not what was once written.</exception>
    public static IEnumerable<LogEntry> Read(string path)
    {
        var head = LogHead.Start;
        foreach (var line in Lines(path))
        {
            var entry = EventLog.Read(head, line);
            head = new LogHead(entry.Sequence + 1, entry.Hash);
            yield return entry;
        }
    }

    /// <summary>The states after each entry, recomputed.</summary>
    /// <exception cref="InvalidEntryException">An entry is not what was written, or does not follow.</exception>
    public static IEnumerable<FederationState> Fold(string path)
    {
        var state = new FederationState();
        foreach (var entry in Read(path))
            yield return state = FederationFold.Apply(state, entry);
    }

    /// <summary>Cuts off a last line that a dying process or a full disk left half written.</summary>
    /// <returns>The whole lines that are left.</returns>
    public static long TruncateTornLine(string path)
    {
        using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite);
        var buffer = new byte[BufferSize];
        long at = 0, whole = 0, lines = 0;
        while (file.Read(buffer) is > 0 and var count)
        {
            lines += buffer.AsSpan(0, count).Count((byte)'\n');
            if (buffer.AsSpan(0, count).LastIndexOf((byte)'\n') is >= 0 and var last)
                whole = at + last + 1;
            at += count;
        }
        if (whole < at)
            file.SetLength(whole);
        return lines;
    }

    /// <summary>
    /// Lines as they are written, each checked for its length and its text, for nothing else; what follows the last line feed, if anything,
    /// comes last.
    /// </summary>
    /// <exception cref="InvalidEntryException">A line is too long to hold, or not UTF-8.</exception>
    public static IEnumerable<string> Lines(string path)
    {
        using var file = File.OpenRead(path);
        var (buffer, line, lines) = (new byte[BufferSize], new ArrayBufferWriter<byte>(BufferSize), 0L);
        while (file.Read(buffer) is > 0 and var count)
        {
            var start = 0;
            while (buffer.AsSpan(start, count - start).IndexOf((byte)'\n') is >= 0 and var length)
            {
                Hold(line, buffer.AsSpan(start, length), lines);
                yield return Decode(lines++, line.WrittenSpan);
                line.ResetWrittenCount();
                start += length + 1;
            }
            Hold(line, buffer.AsSpan(start, count - start), lines);
        }
        if (line.WrittenCount > 0)
            yield return Decode(lines, line.WrittenSpan);
    }

    /// <summary>A line that never ends is refused before it is held.</summary>
    private static void Hold(ArrayBufferWriter<byte> line, ReadOnlySpan<byte> more, long sequence)
    {
        if (line.WrittenCount + more.Length > EventLog.MaximumLine)
            throw new InvalidEntryException(sequence, $"it is longer than {EventLog.MaximumLine} bytes");
        line.Write(more);
    }

    private static string Decode(long sequence, ReadOnlySpan<byte> line)
    {
        try
        {
            return StrictUtf8.GetString(line);
        }
        catch (DecoderFallbackException)
        {
            throw new InvalidEntryException(sequence, "it is not UTF-8 text");
        }
    }
}
