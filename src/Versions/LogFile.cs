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
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Entries in order, read one at a time; each is checked against the one before it.</summary>
    /// <exception cref="InvalidEntryException">A line is not what was once written.</exception>
    public static IEnumerable<LogEntry> Read(string path)
    {
        using var file = File.OpenRead(path);
        var head = LogHead.Start;
        foreach (var bytes in Lines(file))
        {
            var entry = EventLog.Read(head, Decode(head.Length, bytes));
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
        long whole = 0, lines = 0;
        foreach (var line in Lines(file))
        {
            if (whole + line.Length + 1 > file.Length)
                break;
            whole += line.Length + 1;
            lines++;
        }
        file.SetLength(whole);
        return lines;
    }

    /// <summary>Bytes between line feeds; what follows the last one, if anything, comes last.</summary>
    private static IEnumerable<byte[]> Lines(Stream stream)
    {
        var buffer = new byte[1 << 16];
        using var line = new MemoryStream();
        while (stream.Read(buffer) is > 0 and var count)
        {
            var start = 0;
            while (Array.IndexOf(buffer, (byte)'\n', start, count - start) is >= 0 and var end)
            {
                line.Write(buffer, start, end - start);
                yield return line.ToArray();
                line.SetLength(0);
                start = end + 1;
            }
            line.Write(buffer, start, count - start);
        }
        if (line.Length > 0)
            yield return line.ToArray();
    }

    private static string Decode(long sequence, byte[] line)
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
