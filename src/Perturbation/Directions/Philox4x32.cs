namespace FedKSeed.Perturbation.Directions;

/// <summary>
/// Philox4x32-10, a counter-based generator: four 32-bit words as a pure function of a 128-bit counter and a 64-bit key
/// (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
/// </summary>
public static class Philox4x32
{
    internal const int Rounds = 10;
    internal const uint Multiplier0 = 0xD251_1F53;
    internal const uint Multiplier1 = 0xCD9E_8D57;
    internal const uint Weyl0 = 0x9E37_79B9;
    internal const uint Weyl1 = 0xBB67_AE85;

    /// <summary>Four words: a counter, or what the generator makes of one.</summary>
    public readonly record struct Block(uint Word0, uint Word1, uint Word2, uint Word3)
    {
        public uint this[int position] => position switch
        {
            0 => Word0,
            1 => Word1,
            2 => Word2,
            3 => Word3,
            _ => throw new ArgumentOutOfRangeException(nameof(position)),
        };
    }

    /// <param name="counter">Least significant word first.</param>
    /// <param name="key">Low 32 bits are the generator's first key word.</param>
    public static Block Generate(Block counter, ulong key)
    {
        (var c0, var c1, var c2, var c3) = counter;
        (var k0, var k1) = ((uint)key, (uint)(key >> 32));
        for (var round = 0; round < Rounds; round++)
        {
            var product0 = (ulong)Multiplier0 * c0;
            var product1 = (ulong)Multiplier1 * c2;
            (c0, c1) = ((uint)(product1 >> 32) ^ c1 ^ k0, (uint)product1);
            (c2, c3) = ((uint)(product0 >> 32) ^ c3 ^ k1, (uint)product0);
            k0 += Weyl0;
            k1 += Weyl1;
        }

        return new(c0, c1, c2, c3);
    }
}
