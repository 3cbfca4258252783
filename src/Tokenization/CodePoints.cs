using System.Text;

namespace FedKSeed.Tokenization;

/// <summary>Text as code points.</summary>
internal static class CodePoints
{
    private const char FirstSurrogate = '\uD800', LastSurrogate = '\uDFFF';

    /// <summary>The text with U+FFFD for every half of a pair that lacks its other half.</summary>
    public static string Of(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange(FirstSurrogate, LastSurrogate))
            return text;
        StringBuilder valid = new(text.Length);
        foreach (var rune in text.EnumerateRunes())
            valid.Append(rune.ToString());
        return valid.ToString();
    }
}
