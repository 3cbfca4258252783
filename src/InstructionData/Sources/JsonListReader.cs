using System.Text.Json;

namespace FedKSeed.InstructionData.Sources;

/// <summary>
/// The elements of a list, or one value, of a JSON document, each as it comes: the document itself is never in memory as a whole. What
/// follows an error of JSON itself cannot be read.
/// </summary>
internal sealed class JsonListReader : IDisposable
{
    private readonly string _path;
    private readonly Stream _text;
    private byte[] _buffer = new byte[1 << 16];
    private int _start, _end;
    private bool _isAtEnd;
    private int _line = 1;

    private JsonListReader(SourceFile file) => (_path, _text) = (file.Path, file.Text());

    public static IEnumerable<RawRecord> Read(SourceFile file)
    {
        using JsonListReader reader = new(file);
        var isList = reader.Next() == '[';
        if (isList)
            reader.Take();
        for (var count = 0; ; count++)
        {
            if (isList && reader.Next() == ']')
                break;
            if (isList && count > 0 && reader.Fault(',') is { } noComma)
            {
                yield return noComma;
                yield break;
            }
            var record = reader.Value();
            yield return record;
            if (record.IsEndOfReading)
                yield break;
            if (!isList)
                break;
        }
        if (isList)
            reader.Take();
        if (reader.Next() is { } surplus)
            yield return reader.Wrong($"'{surplus}' after the end of the document.");
    }

    public void Dispose() => _text.Dispose();

    /// <summary>The next character that is not white space, left where it is; null at the end.</summary>
    private char? Next()
    {
        while (true)
        {
            while (_start < _end && _buffer[_start] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
                Take();
            if (_start < _end)
                return (char)_buffer[_start];
            if (!Fill())
                return null;
        }
    }

    private void Take()
    {
        if (_buffer[_start++] == '\n')
            _line++;
    }

    /// <summary>Takes the character that must come next; else says what is wrong.</summary>
    private RawRecord? Fault(char wanted)
    {
        if (Next() is not { } found)
            return Wrong("the file ends within the list.");
        if (found != wanted)
            return Wrong($"a comma or ] is expected, not '{found}'.");
        Take();
        return null;
    }

    private RawRecord Wrong(string problem) => new($"{_path}:{_line}", default, problem) { IsEndOfReading = true };

    private RawRecord Value()
    {
        if (Next() is null)
            return Wrong("the file ends within the list.");
        var line = _line;
        try
        {
            while (true)
            {
                var text = _buffer.AsSpan(_start, _end - _start);
                Utf8JsonReader reader = new(text, isFinalBlock: _isAtEnd, state: default);
                if (JsonElement.TryParseValue(ref reader, out var json))
                {
                    text = text[..(int)reader.BytesConsumed];
                    _line += text.Count((byte)'\n');
                    _start += text.Length;
                    return JsonSource.Record($"{_path}:{line}", json.Value, text);
                }
                Fill();
            }
        }
        catch (JsonException e)
        {
            return new RawRecord($"{_path}:{line + (e.LineNumber ?? 0)}", default, JsonSource.Reason(e)) { IsEndOfReading = true };
        }
    }

    private bool Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, TextLines.Doubled(_buffer.Length));
        var count = _text.Read(_buffer.AsSpan(_end));
        _end += count;
        _isAtEnd |= count == 0;
        return count > 0;
    }
}
