using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace FedKSeed.Tokenization;

/// <summary>
/// BPE as tokenizer.json describes it: normalise, cut into words, merge. The merges are Microsoft.ML.Tokenizers' work; what
/// is here is what that library leaves out: the steps before, <c>ignore_merges</c> and byte fallback. Safe for use from several threads.
/// </summary>
internal sealed class BpeEncoder
{
    private readonly BpeSettings _settings;
    private readonly BpeTokenizer _merges;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly int[]? _byteIds;

    public BpeEncoder(BpeSettings settings)
    {
        _settings = settings;
        _merges = BpeTokenizer.Create(new BpeOptions(settings.Vocabulary) { Merges = settings.Merges });
        _ids = settings.Vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        // As in the reference, a character falls back to bytes only where the vocabulary has all of them.
        string[] tokens = [.. Enumerable.Range(0, 256).Select(ByteToken)];
        if (settings.ByteFallback && tokens.All(settings.Vocabulary.ContainsKey))
            _byteIds = [.. tokens.Select(token => settings.Vocabulary[token])];
    }

    /// <summary>The token that stands for a byte: &lt;0x00&gt; to &lt;0xFF&gt;.</summary>
    public static string ByteToken(int value) => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");

    /// <param name="text">At least one character; no added token is in it.</param>
    /// <param name="isFirst">Whether the whole text begins with it; else an added token stands before.</param>
    /// <param name="ids">Takes the ids.</param>
    public void Encode(string text, bool isFirst, List<int> ids)
    {
        foreach (var normalise in _settings.Normalizers)
            text = normalise(text);
        foreach (var word in Words(text, isFirst, 0))
            EncodeWord(_settings.IsByteLevel ? ByteAlphabet.FromText(word) : word, ids);
    }

    // Every splitter in turn cuts the pieces of the one before it.
    private IEnumerable<string> Words(string text, bool isFirst, int level)
    {
        if (level == _settings.Splitters.Count)
            return text.Length == 0 ? [] : [text];
        return _settings.Splitters[level](text, isFirst).SelectMany((piece, i) => Words(piece, isFirst && i == 0, level + 1));
    }

    private void EncodeWord(string word, List<int> ids)
    {
        if (_settings.IgnoreMerges && _settings.Vocabulary.TryGetValue(word, out var whole))
            ids.Add(whole);
        else if (_settings.IsByteLevel)
            Merge(word, ids);
        else
            EncodeCharacters(word, ids);
    }

    // No merge crosses a character that the vocabulary lacks, so what is between two of them is merged on its own.
    private void EncodeCharacters(string word, List<int> ids)
    {
        var start = 0;
        for (int i = 0, length; i < word.Length; i += length)
        {
            length = char.IsSurrogatePair(word, i) ? 2 : 1;
            if (_ids.ContainsKey(word.AsSpan(i, length)))
                continue;
            Merge(word[start..i], ids);
            AddUnknown(word.Substring(i, length), isAfterUnknown: i > 0 && i == start, ids);
            start = i + length;
        }
        Merge(word[start..], ids);
    }

    private void AddUnknown(string character, bool isAfterUnknown, List<int> ids)
    {
        if (_byteIds is not null)
        {
            foreach (var value in Encoding.UTF8.GetBytes(character))
                ids.Add(_byteIds[value]);
        }
        else if (_settings.UnknownId is { } unknown && !(isAfterUnknown && _settings.FuseUnknown))
        {
            ids.Add(unknown);
        }
    }

    private void Merge(string word, List<int> ids)
    {
        if (word.Length > 0)
            ids.AddRange(_merges.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false));
    }
}

/// <summary>Cuts a piece of text; the flag says whether the whole text begins with it.</summary>
internal delegate IEnumerable<string> Splitter(string text, bool isFirst);

/// <summary>What the tokenizer's file says of a BPE model and of the steps before it.</summary>
internal sealed record BpeSettings
{
    public required Dictionary<string, int> Vocabulary { get; init; }

    /// <summary>"left right", most important first.</summary>
    public required IReadOnlyList<string> Merges { get; init; }

    /// <summary>Applied one after the other.</summary>
    public required IReadOnlyList<Func<string, string>> Normalizers { get; init; }

    /// <summary>Applied one after the other.</summary>
    public required IReadOnlyList<Splitter> Splitters { get; init; }

    /// <summary>Whether the vocabulary is written in <see cref="ByteAlphabet"/>.</summary>
    public required bool IsByteLevel { get; init; }

    /// <summary>A piece that is in the vocabulary as a whole is one token, whatever the merges say.</summary>
    public required bool IgnoreMerges { get; init; }

    /// <summary>Whether a character that the vocabulary lacks becomes its UTF-8 bytes.</summary>
    public required bool ByteFallback { get; init; }

    /// <summary>The id of a character that is neither in the vocabulary nor falls back; null: it is left out.</summary>
    public required int? UnknownId { get; init; }

    /// <summary>Whether neighbouring unknown characters are one id.</summary>
    public required bool FuseUnknown { get; init; }
}

/// <summary>The splitters of tokenizer.json's pre-tokenizers.</summary>
internal static class Splitters
{
    /// <summary>Matches and the text between them are both pieces.</summary>
    public static Splitter Isolate(Regex pattern) => (text, _) => Isolate(pattern, text);

    /// <summary>A space before a text that has none at its beginning.</summary>
    public static IEnumerable<string> PrefixSpace(string text, bool isFirst) => [char.IsWhiteSpace(text[0]) ? text : " " + text];

    /// <summary>SentencePiece's words: spaces are written as another character, and every word begins with one.</summary>
    /// <param name="space">The character.</param>
    /// <param name="prefix">Where one is put before a text that has none: "always", "first" (before the whole text) or "never".</param>
    /// <param name="split">Whether to cut before every one.</param>
    public static Splitter Metaspace(char space, string prefix, bool split) => (text, isFirst) =>
    {
        text = text.Replace(' ', space);
        if (text[0] != space && (prefix == "always" || (prefix == "first" && isFirst)))
            text = space + text;
        return split ? CutBefore(text, space) : [text];
    };

    private static IEnumerable<string> Isolate(Regex pattern, string text)
    {
        var at = 0;
        foreach (Match match in pattern.Matches(text))
        {
            if (match.Length == 0)
                continue;
            if (match.Index > at)
                yield return text[at..match.Index];
            yield return match.Value;
            at = match.Index + match.Length;
        }
        if (at < text.Length)
            yield return text[at..];
    }

    private static IEnumerable<string> CutBefore(string text, char mark)
    {
        for (var at = 0; at < text.Length;)
        {
            var next = text.IndexOf(mark, at + 1);
            var end = next < 0 ? text.Length : next;
            yield return text[at..end];
            at = end;
        }
    }
}
