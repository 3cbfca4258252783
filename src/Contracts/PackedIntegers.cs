namespace FedKSeed.Contracts;

/// <summary>Integers of a fixed number of bits, one after the other from the lowest bit of the first byte up.</summary>
public static class PackedIntegers
{
    /// <summary>Bits of an index below a count, at least 1.</summary>
    public static int BitsForIndexBelow(int count) => Math.Max(1, 32 - int.LeadingZeroCount(count - 1));

    public static int PackedLength(int count, int bits) => (int)(((long)count * bits + 7) / 8);

    public static byte[] PackUnsigned(ReadOnlySpan<ushort> values, int bits)
    {
        var packed = new byte[PackedLength(values.Length, bits)];
        for (var k = 0; k < values.Length; k++)
            Write(packed, (long)k * bits, bits, values[k]);
        return packed;
    }

    public static ushort[] UnpackUnsigned(ReadOnlySpan<byte> packed, int count, int bits)
    {
        RequireLength(packed, count, bits);
        var values = new ushort[count];
        for (var k = 0; k < count; k++)
            values[k] = (ushort)Read(packed, (long)k * bits, bits);
        return values;
    }

    /// <summary>Two's complement.</summary>
    public static byte[] PackSigned(ReadOnlySpan<int> values, int bits)
    {
        var packed = new byte[PackedLength(values.Length, bits)];
        for (var k = 0; k < values.Length; k++)
            Write(packed, (long)k * bits, bits, (uint)values[k] & Mask(bits));
        return packed;
    }

    public static int[] UnpackSigned(ReadOnlySpan<byte> packed, int count, int bits)
    {
        RequireLength(packed, count, bits);
        var values = new int[count];
        for (var k = 0; k < count; k++)
            values[k] = (int)(Read(packed, (long)k * bits, bits) << (32 - bits)) >> (32 - bits);
        return values;
    }

    private static uint Mask(int bits) => uint.MaxValue >> (32 - bits);

    private static void Write(Span<byte> packed, long firstBit, int bits, uint value)
    {
        for (var bit = 0; bit < bits; bit++)
            if ((value >> bit & 1) != 0)
                packed[(int)((firstBit + bit) >> 3)] |= (byte)(1 << (int)((firstBit + bit) & 7));
    }

    private static uint Read(ReadOnlySpan<byte> packed, long firstBit, int bits)
    {
        uint value = 0;
        for (var bit = 0; bit < bits; bit++)
            value |= (uint)(packed[(int)((firstBit + bit) >> 3)] >> (int)((firstBit + bit) & 7) & 1) << bit;
        return value;
    }

    private static void RequireLength(ReadOnlySpan<byte> packed, int count, int bits)
    {
        if (packed.Length != PackedLength(count, bits))
            throw new FormatException($"{count} integers of {bits} bits take {PackedLength(count, bits)} bytes, not {packed.Length}.");
    }
}
