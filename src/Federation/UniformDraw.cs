using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FedKSeed.Federation;

/// <summary>A number that follows from a text, and is as good as drawn: the same for whoever draws it again.</summary>
internal static class UniformDraw
{
    /// <summary>The upper 53 bits of the first eight bytes of its SHA-256, as a uint64, times 2⁻⁵³: at least 0 and below 1.</summary>
    public static double Of(string text) =>
        (BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(text))) >> 11) * (1.0 / (1L << 53));
}
