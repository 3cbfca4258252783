using System.Text;

namespace FedKSeed.Tokenization;

/// <summary>
/// GPT-2's alphabet for byte-level BPE: each of the 256 bytes as one printable character, so that a vocabulary is plain
/// text. Printable Latin-1 bytes stand for themselves; the other 68 take the characters from U+0100 on, in order.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = Build();
    private static readonly Dictionary<char, byte> Bytes =
        Characters.Select((c, b) => (c, b)).ToDictionary(pair => pair.c, pair => (byte)pair.b);

    public static char Character(byte value) => Characters[value];

    public static string FromText(ReadOnlySpan<char> text)
    {
        var utf8 = new byte[Encoding.UTF8.GetByteCount(text)];
        _ = Encoding.UTF8.GetBytes(text, utf8);
        return string.Create(utf8.Length, utf8, static (characters, bytes) =>
        {
            for (var i = 0; i < bytes.Length; i++)
                characters[i] = Characters[bytes[i]];
        });
    }

    /// <summary>The bytes that a token stands for; one with any other character in it, such as an added token, is plain text.</summary>
    public static byte[] ToBytes(string token) =>
        token.All(Bytes.ContainsKey) ? [.. token.Select(character => Bytes[character])] : Encoding.UTF8.GetBytes(token);

    private static char[] Build()
    {
        var characters = new char[256];
        var next = 256;
        for (var b = 0; b < 256; b++)
        {
            var printable = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;
            characters[b] = (char)(printable ? b : next++);
        }
        return characters;
    }
}
