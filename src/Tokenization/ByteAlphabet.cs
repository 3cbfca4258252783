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

    public static string FromText(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        return string.Create(utf8.Length, utf8, static (characters, bytes) =>
        {
            for (var i = 0; i < bytes.Length; i++)
                characters[i] = Characters[bytes[i]];
        });
    }

    /// <summary>Characters outside the alphabet stand for themselves, in UTF-8.</summary>
    public static void AppendBytes(string token, List<byte> bytes)
    {
        foreach (var c in token)
        {
            if (Bytes.TryGetValue(c, out var b))
                bytes.Add(b);
            else
                bytes.AddRange(Encoding.UTF8.GetBytes([c]));
        }
    }

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
