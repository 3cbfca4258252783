using System.Globalization;
using System.Text;
using FedKSeed.Tokenization.Patterns;

namespace FedKSeed.Tokenization;

/// <summary>One of tokenizer.json's decoders: turns the list of tokens into another.</summary>
internal delegate List<string> DecodeStep(List<string> tokens);

/// <summary>
/// The decoders of tokenizer.json, one after the other; what the last one leaves is the text. Without any, tokens stand side by side
/// with spaces between them. Bytes that are not valid UTF-8 become U+FFFD. All of it as in the reference.
/// </summary>
internal sealed class TokenDecoder(IReadOnlyList<DecodeStep> steps)
{
    /// <summary>What SentencePiece writes for a space.</summary>
    public const char SentencePieceSpace = '▁';

    private const string Replacement = "\uFFFD";

    // Strict, so that what is not UTF-8 is noticed.
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The decoders of a SentencePiece model, whose file does not list them.</summary>
    public static TokenDecoder SentencePiece(bool hasDummyPrefix)
    {
        DecodeStep[] prefix = hasDummyPrefix ? [Strip(new Rune(' '), 1, 0)] : [];
        return new TokenDecoder([Replace(SplitPattern.Of(SentencePieceSpace.ToString()), " "), ByteFallback, Fuse, .. prefix]);
    }

    public string Decode(List<string> tokens) =>
        steps.Count == 0 ? string.Join(' ', tokens) : string.Concat(steps.Aggregate(tokens, (some, decode) => decode(some)));

    /// <summary>Tokens in <see cref="ByteAlphabet"/>, whose characters may be split over several.</summary>
    public static List<string> ByteLevel(List<string> tokens) =>
        [Encoding.UTF8.GetString([.. tokens.SelectMany(ByteAlphabet.ToBytes)])];

    public static DecodeStep Replace(SplitPattern from, string to) => tokens => tokens.ConvertAll(token => from.Replace(token, to));

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
    public static DecodeStep Strip(Rune character, int start, int stop)
    {
        var stripped = character.ToString();
        return tokens => tokens.ConvertAll(token =>
        {
            var text = token.AsSpan();
            for (var i = 0; i < start && text.StartsWith(stripped); i++)
                text = text[stripped.Length..];
            for (var i = 0; i < stop && text.EndsWith(stripped); i++)
                text = text[..^stripped.Length];
            return text.ToString();
        });
    }

    /// <summary>
    /// Spaces from the character they are written as, but for those that <see cref="Splitters.Metaspace"/> put before the text.
    /// </summary>
    public static DecodeStep Metaspace(char space, string prefix) => tokens =>
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
