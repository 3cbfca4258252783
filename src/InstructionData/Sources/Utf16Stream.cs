using System.Buffers.Binary;
using System.Text;

namespace FedKSeed.InstructionData.Sources;

/// <summary>
/// UTF-16 as UTF-8. Half a character is written in three bytes, as UTF-8 would write a character of its number: that is not UTF-8, so
/// whoever checks the text finds it where it stands, instead of a replacement that nobody wrote.
/// </summary>
internal sealed class Utf16Stream(Stream source, bool isBigEndian) : ReadOnlyStream(source)
{
    // Units that are read at once; each takes up to three bytes.
    private const int Units = 1 << 14;

    private readonly byte[] _in = new byte[Units * sizeof(char)];
    private readonly byte[] _out = new byte[(Units + 1) * 3];
    private int _next, _end;
    private char _high;

    public override int Read(Span<byte> buffer)
    {
        if (_next == _end && !Fill())
            return 0;
        var count = Math.Min(buffer.Length, _end - _next);
        _out.AsSpan(_next, count).CopyTo(buffer);
        _next += count;
        return count;
    }

    private bool Fill()
    {
        var bytes = Source.ReadAtLeast(_in, _in.Length, throwOnEndOfStream: false);
        (_next, _end) = (0, 0);
        for (var at = 0; at + 1 < bytes; at += sizeof(char))
            Add((char)(isBigEndian
                ? BinaryPrimitives.ReadUInt16BigEndian(_in.AsSpan(at))
                : BinaryPrimitives.ReadUInt16LittleEndian(_in.AsSpan(at))));
        if (bytes % sizeof(char) != 0)
            Half('\uDC00'); // a file that ends within a unit ends with half a character too
        if (bytes < _in.Length && _high != 0)
            (_, _high) = (Half(_high), '\0');
        return _end > 0;
    }

    private void Add(char unit)
    {
        if (_high != 0 && char.IsLowSurrogate(unit))
        {
            _end += new Rune(_high, unit).EncodeToUtf8(_out.AsSpan(_end));
            _high = '\0';
            return;
        }
        if (_high != 0)
            (_, _high) = (Half(_high), '\0');
        if (char.IsHighSurrogate(unit))
            _high = unit;
        else if (char.IsLowSurrogate(unit))
            Half(unit);
        else
            _end += new Rune(unit).EncodeToUtf8(_out.AsSpan(_end));
    }

    private int Half(char unit)
    {
        _out[_end++] = (byte)(0xE0 | unit >> 12);
        _out[_end++] = (byte)(0x80 | unit >> 6 & 0x3F);
        _out[_end++] = (byte)(0x80 | unit & 0x3F);
        return 3;
    }
}
