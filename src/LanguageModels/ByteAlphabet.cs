using System.Text;

namespace FedKSeed.LanguageModels;

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
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        return string.Create(utf8.Length, utf8, static (characters, bytes) =>
        {
            for (int i = 0; i < bytes.Length; i++)
                characters[i] = Characters[bytes[i]];
        });
    }

    /// <summary>Characters outside the alphabet stand for themselves, in UTF-8.</summary>
    public static void AppendBytes(string token, List<byte> bytes)
    {
        foreach (char c in token)
        {
            if (Bytes.TryGetValue(c, out byte b))
                bytes.Add(b);
            else
                bytes.AddRange(Encoding.UTF8.GetBytes([c]));
        }
    }

    private static char[] Build()
    {
        char[] characters = new char[256];
        int next = 256;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is >= '!' and <= '~' or >= 0xA1 and <= 0xAC or >= 0xAE and <= 0xFF;
            characters[b] = (char)(printable ? b : next++);
        }
        return characters;
    }
}
