using System.Text;
using FedKSeed.Federation.Log;

namespace FedKSeed.Versions;

/// <summary>A log's file that another process may be writing: what is there now, and later what came since.</summary>
public sealed class GrowingLog(string path) : IDisposable
{
    private readonly FileStream _file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
    private readonly byte[] _buffer = new byte[1 << 16];
    private readonly List<byte> _line = [];
    private LogHead _head = LogHead.Start;

    /// <summary>
    /// The lines that were added since the last call, each checked against the one before it. A line that is half written is left for the
    /// next one.
    /// </summary>
    /// <exception cref="InvalidEntryException">A line is not what was once written.</exception>
    public IEnumerable<(string Line, LogEntry Entry)> ReadNew()
    {
        while (_file.Read(_buffer) is > 0 and var count)
        {
            for (var start = 0; start < count;)
            {
                var end = Array.IndexOf(_buffer, (byte)'\n', start, count - start);
                _line.AddRange(_buffer.AsSpan(start, (end < 0 ? count : end) - start));
                if (_line.Count > EventLog.MaximumLine)
                    throw new InvalidEntryException(_head.Length, $"it is longer than {EventLog.MaximumLine} bytes");
                if (end < 0)
                    break;
                var line = Encoding.UTF8.GetString([.. _line]);
                var entry = EventLog.Read(_head, line);
                _line.Clear();
                start = end + 1;
                _head = new LogHead(entry.Sequence + 1, entry.Hash);
                yield return (line, entry);
            }
        }
    }

    public void Dispose() => _file.Dispose();
}
