using FedKSeed.Tokenization.Patterns;

namespace FedKSeed.Tokenization;

/// <summary>A part of a text.</summary>
/// <param name="Buffer">Holds it.</param>
/// <param name="Start">Where it starts, in UTF-16 units.</param>
/// <param name="End">Where it ends.</param>
/// <param name="IsFirst">Whether the whole text that is encoded begins with it.</param>
internal readonly record struct Piece(string Buffer, int Start, int End, bool IsFirst)
{
    public ReadOnlySpan<char> Text => Buffer.AsSpan(Start, End - Start);

    public static Piece Of(string text, bool isFirst) => new(text, 0, text.Length, isFirst);

    public Piece Part(int from, int to) => new(Buffer, from, to, IsFirst && from == Start);
}

/// <summary>Cuts a piece, which is not empty.</summary>
internal delegate IEnumerable<Piece> Splitter(Piece piece);

/// <summary>What becomes of the matches of a split. Names are the file format's.</summary>
internal enum SplitBehavior
{
    Removed,
    Isolated,
    MergedWithPrevious,
    MergedWithNext,
    Contiguous,
}

/// <summary>The splitters of tokenizer.json's pre-tokenizers.</summary>
internal static class Splitters
{
    /// <param name="pattern">What is looked for.</param>
    /// <param name="behavior">What becomes of it.</param>
    /// <param name="isInverted">What lies between matches counts as the matches.</param>
    public static Splitter Split(SplitPattern pattern, SplitBehavior behavior, bool isInverted) =>
        piece => Keep(Parts(pattern, piece), behavior, isInverted).Where(part => part.Start < part.End);

    /// <summary>Digits of all scripts are pieces, one by one or run by run.</summary>
    public static Splitter Digits(bool oneByOne) =>
        Split(SplitPattern.OfExpression(@"\p{N}"), oneByOne ? SplitBehavior.Isolated : SplitBehavior.Contiguous, isInverted: false);

    /// <summary>A space before a piece that has none at its beginning.</summary>
    public static IEnumerable<Piece> PrefixSpace(Piece piece) =>
        [piece.Text[0] == ' ' ? piece : Piece.Of($" {piece.Text}", piece.IsFirst)];

    /// <summary>SentencePiece's words: spaces are written as another character, and every word begins with one.</summary>
    /// <param name="space">The character.</param>
    /// <param name="prefix">Where one is put before a text that has none: "always", "first" (before the whole text) or "never".</param>
    /// <param name="split">Whether to cut before every one.</param>
    public static Splitter Metaspace(char space, string prefix, bool split) => piece =>
    {
        var text = piece.Text.ToString().Replace(' ', space);
        if (text[0] != space && (prefix == "always" || (prefix == "first" && piece.IsFirst)))
            text = space + text;
        var whole = Piece.Of(text, piece.IsFirst);
        return split ? CutBefore(whole, space) : [whole];
    };

    // Matches and what lies between them, in order.
    private static IEnumerable<(Piece Part, bool IsMatch)> Parts(SplitPattern pattern, Piece piece)
    {
        var at = piece.Start;
        foreach (var match in pattern.Matches(piece.Buffer, piece.Start, piece.End))
        {
            (var from, var to) = (match.Start.Value, match.End.Value);
            if (at < from)
                yield return (piece.Part(at, from), false);
            yield return (piece.Part(from, to), true);
            at = to;
        }
        if (at < piece.End)
            yield return (piece.Part(at, piece.End), false);
    }

    private static IEnumerable<Piece> Keep(IEnumerable<(Piece Part, bool IsMatch)> parts, SplitBehavior behavior, bool isInverted) =>
        behavior switch
        {
            SplitBehavior.Isolated => parts.Select(part => part.Part),
            SplitBehavior.Removed => parts.Where(part => part.IsMatch == isInverted).Select(part => part.Part),
            SplitBehavior.MergedWithNext => MergeWithNext([.. parts], isInverted),
            _ => Join(parts, isInverted, (before, now) => behavior == SplitBehavior.Contiguous ? before == now : now && !before),
        };

    // The first part is behind a part that is no match.
    private static IEnumerable<Piece> Join(IEnumerable<(Piece Part, bool IsMatch)> parts, bool isInverted, Func<bool, bool, bool> belongs)
    {
        Piece? joined = null;
        var before = false;
        foreach ((var part, var isMatch) in parts)
        {
            var now = isMatch != isInverted;
            if (joined is { } earlier && belongs(before, now))
            {
                joined = earlier with { End = part.End };
            }
            else
            {
                if (joined is { } done)
                    yield return done;
                joined = part;
            }
            before = now;
        }
        if (joined is { } last)
            yield return last;
    }

    private static List<Piece> MergeWithNext((Piece Part, bool IsMatch)[] parts, bool isInverted)
    {
        List<Piece> backwards = [];
        var before = false;
        foreach ((var part, var isMatch) in parts.Reverse())
        {
            var now = isMatch != isInverted;
            if (now && !before && backwards.Count > 0)
                backwards[^1] = part with { End = backwards[^1].End };
            else
                backwards.Add(part);
            before = now;
        }
        backwards.Reverse();
        return backwards;
    }

    private static IEnumerable<Piece> CutBefore(Piece piece, char mark)
    {
        for (var at = piece.Start; at < piece.End;)
        {
            var next = piece.Buffer.IndexOf(mark, at + 1, piece.End - at - 1);
            var end = next < 0 ? piece.End : next;
            yield return piece.Part(at, end);
            at = end;
        }
    }
}
