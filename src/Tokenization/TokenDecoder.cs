using System.Globalization;
using System.Text;

namespace FedKSeed.Tokenization;

/// <summary>
/// The decoders of tokenizer.json: each turns the list of tokens into another, and what the last one leaves is the text.
/// Bytes that are not valid UTF-8 become U+FFFD, as in the reference.
/// </summary>
internal static class TokenDecoder
{
    /// <summary>What SentencePiece writes for a space.</summary>
    public const char SentencePieceSpace = '▁';

    private const string Replacement = "\uFFFD";

    // Strict, so that what is not UTF-8 is noticed.
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The decoders of a SentencePiece model, whose file does not list them.</summary>
    public static IReadOnlyList<Func<List<string>, List<string>>> SentencePiece(bool hasDummyPrefix) =>
        [Replace(SentencePieceSpace.ToString(), " "), ByteFallback, Fuse, .. hasDummyPrefix
            ? [Strip(' ', 1, 0)]
            : Array.Empty<Func<List<string>, List<string>>>()];

    /// <summary>Tokens in <see cref="ByteAlphabet"/>, whose characters may be split over several.</summary>
    public static List<string> ByteLevel(List<string> tokens)
    {
        List<byte> bytes = [];
        foreach (var token in tokens)
            ByteAlphabet.AppendBytes(token, bytes);
        return [Encoding.UTF8.GetString([.. bytes])];
    }

    public static Func<List<string>, List<string>> Replace(string from, string to) =>
        tokens => tokens.ConvertAll(token => token.Replace(from, to, StringComparison.Ordinal));

    /// <summary>Joins byte tokens that follow one another; of a run that is not UTF-8 every byte becomes U+FFFD.</summary>
    public static List<string> ByteFallback(List<string> tokens)
    {
        List<string> texts = [];
        List<byte> run = [];
        foreach (var token in tokens)
        {
            if (TryParseByte(token, out var value))
            {
                run.Add(value);
                continue;
            }
            EndRun(run, texts);
            texts.Add(token);
        }
        EndRun(run, texts);
        return texts;
    }

    public static List<string> Fuse(List<string> tokens) => [string.Concat(tokens)];

    /// <summary>Takes up to so many of a character off each token's beginning and end.</summary>
    public static Func<List<string>, List<string>> Strip(char character, int start, int stop) => tokens => tokens.ConvertAll(token =>
    {
        int from = 0, to = token.Length;
        while (from < to && from < start && token[from] == character)
            from++;
        while (to > from && token.Length - to < stop && token[to - 1] == character)
            to--;
        return token[from..to];
    });

    /// <summary>
    /// Spaces from the character they are written as, but for those that <see cref="Splitters.Metaspace"/> put before the text.
    /// </summary>
    public static Func<List<string>, List<string>> Metaspace(char space, string prefix) => tokens =>
        [.. tokens.Select((token, i) => token.Replace(space.ToString(), i == 0 && prefix != "never" ? "" : " ", StringComparison.Ordinal))];

    private static bool TryParseByte(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private static void EndRun(List<byte> run, List<string> texts)
    {
        if (run.Count == 0)
            return;
        try
        {
            texts.Add(Strict.GetString([.. run]));
        }
        catch (DecoderFallbackException)
        {
            texts.AddRange(Enumerable.Repeat(Replacement, run.Count));
        }
        run.Clear();
    }
}
