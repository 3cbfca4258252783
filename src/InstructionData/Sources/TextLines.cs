namespace FedKSeed.InstructionData.Sources;

/// <summary>Lines of a stream, as bytes, one at a time.</summary>
internal static class TextLines
{
    /// <summary>What lies between line feeds. A line is good until the next one is asked for.</summary>
    /// <exception cref="InvalidDataException">A line is longer than anything that could be a record.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Of(Stream stream)
    {
        var buffer = new byte[1 << 16];
        int start = 0, end = 0, searched = 0;
        while (true)
        {
            var feed = buffer.AsSpan(searched, end - searched).IndexOf((byte)'\n');
            if (feed >= 0)
            {
                yield return buffer.AsMemory(start, searched + feed - start);
                start = searched = searched + feed + 1;
                continue;
            }
            searched = end;
            if (start > 0)
            {
                buffer.AsSpan(start, end - start).CopyTo(buffer);
                (start, end, searched) = (0, end - start, searched - start);
            }
            if (end == buffer.Length)
                Array.Resize(ref buffer, Doubled(buffer.Length));
            var count = stream.Read(buffer.AsSpan(end));
            if (count == 0)
                break;
            end += count;
        }
        if (end > start)
            yield return buffer.AsMemory(start, end - start);
    }

    /// <exception cref="InvalidDataException">There is no end to it.</exception>
    public static int Doubled(int length) => length < SourceFile.MaxRecordBytes
        ? length * 2
        : throw new InvalidDataException($"a record takes more than {SourceFile.MaxRecordBytes >> 20} MiB.");
}
