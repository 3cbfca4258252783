using System.Buffers;

namespace FedKSeed.Tokenization;

/// <summary>A token beside the merges' vocabulary.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">The text that it is found by.</param>
/// <param name="Special">Whether decoding can leave it out.</param>
/// <param name="Normalized">Whether it is found in the normalised text, itself normalised, and not in the text as it stands.</param>
/// <param name="StripLeft">Whether white space before it belongs to it.</param>
/// <param name="StripRight">Whether white space behind it belongs to it.</param>
internal sealed record AddedToken(int Id, string Content, bool Special, bool Normalized, bool StripLeft, bool StripRight);

/// <summary>
/// Finds added tokens in a text: always the leftmost, of several the longest. Safe for use from several threads.
/// </summary>
internal sealed class AddedTokens
{
    private readonly Dictionary<string, AddedToken>.AlternateLookup<ReadOnlySpan<char>> _tokens;
    private readonly SearchValues<string>? _contents;
    private readonly int[] _lengths; // longest first

    /// <param name="tokens">By the texts to look for.</param>
    public AddedTokens(IEnumerable<(string Content, AddedToken Token)> tokens)
    {
        Dictionary<string, AddedToken> byContent = new(StringComparer.Ordinal);
        foreach ((var content, var token) in tokens.Where(token => token.Content.Length > 0))
            byContent[content] = token;
        _tokens = byContent.GetAlternateLookup<ReadOnlySpan<char>>();
        _contents = byContent.Count == 0 ? null : SearchValues.Create([.. byContent.Keys], StringComparison.Ordinal);
        _lengths = [.. byContent.Keys.Select(content => content.Length).Distinct().OrderDescending()];
    }

    /// <summary>The text in parts, in order: tokens, and what lies between them.</summary>
    public IEnumerable<(Range Part, AddedToken? Token)> Split(string text)
    {
        var given = 0;
        for (var at = 0; Find(text, at) is (var start, { } token); at = start + token.length)
        {
            (var from, var to) = (start, start + token.length);
            while (token.token.StripLeft && from > given && char.IsWhiteSpace(text[from - 1]))
                from--;
            while (token.token.StripRight && to < text.Length && char.IsWhiteSpace(text[to]))
                to++;
            if (given < from)
                yield return (given..from, null);
            yield return (from..to, token.token);
            given = to;
        }
        if (given < text.Length)
            yield return (given..text.Length, null);
    }

    private (int Start, (AddedToken token, int length)? Token) Find(string text, int at)
    {
        var found = _contents is null ? -1 : text.AsSpan(at).IndexOfAny(_contents);
        if (found < 0)
            return (at, null);
        var start = at + found;
        var length = _lengths.First(length => length <= text.Length - start && _tokens.ContainsKey(text.AsSpan(start, length)));
        return (start, (_tokens[text.AsSpan(start, length)], length));
    }
}
