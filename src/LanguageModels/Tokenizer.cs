using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.ML.Tokenizers;

namespace FedKSeed.LanguageModels;

/// <summary>
/// Text to token ids and back: byte-level BPE as a Hugging Face tokenizer.json describes it. The merges are
/// Microsoft.ML.Tokenizers' work; what is here is what that library leaves out: reading tokenizer.json, its
/// pre-tokenizers, <c>ignore_merges</c> and added tokens. Safe for use from several threads.
/// </summary>
public sealed class Tokenizer
{
    private readonly BpeTokenizer _merges;
    private readonly IReadOnlyList<Regex> _splits;
    private readonly bool _prefixSpace;
    private readonly bool _wholeWordsFirst;
    private readonly Regex? _addedTokenPattern;
    private readonly Dictionary<string, AddedToken> _addedTokens;
    private readonly Dictionary<string, int> _vocabulary;
    private readonly Dictionary<int, string> _tokens;
    private readonly Dictionary<int, AddedToken> _addedById;

    internal Tokenizer(TokenizerFile file, SpecialTokens special)
    {
        _vocabulary = file.Vocabulary;
        _tokens = file.Vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        _addedTokens = file.AddedTokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        _addedById = file.AddedTokens.ToDictionary(token => token.Id);
        _addedTokenPattern = file.AddedTokens.Count == 0 ? null : AddedToken.Pattern(file.AddedTokens);
        _splits = file.Splits;
        _prefixSpace = file.AddPrefixSpace;
        _wholeWordsFirst = file.IgnoreMerges;
        _merges = BpeTokenizer.Create(new BpeOptions(file.Vocabulary) { Merges = file.Merges });
        Special = special;
        VocabularySize = Math.Max(_tokens.Keys.Max(), _addedById.Keys.DefaultIfEmpty(-1).Max()) + 1;
    }

    /// <summary>Beginning and end of a text, as the model's files name them.</summary>
    public SpecialTokens Special { get; }

    /// <summary>One more than the largest id this tokenizer can give.</summary>
    public int VocabularySize { get; }

    /// <summary>Reads tokenizer.json of a model folder, and the files beside it that name its special tokens.</summary>
    /// <exception cref="InvalidDataException">A file is missing or asks for what is not supported; the message names it.</exception>
    public static Tokenizer Load(string folder)
    {
        string path = Path.Combine(folder, "tokenizer.json");
        if (!File.Exists(path))
            throw new InvalidDataException($"{folder}: tokenizer.json is missing.");
        try
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(path));
            TokenizerFile file = TokenizerFile.Read(json.RootElement);
            return new Tokenizer(file, SpecialTokens.Read(folder, file));
        }
        catch (Exception e) when (
            e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or NotSupportedException)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Token ids of <paramref name="text"/>; special tokens written in the text are recognised, none is added.</summary>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = [];
        int at = 0;
        if (_addedTokenPattern is not null)
        {
            foreach (Match match in _addedTokenPattern.Matches(text))
            {
                EncodeText(text[at..match.Index], ids);
                ids.Add(_addedTokens[match.Groups[1].Value].Id);
                at = match.Index + match.Length;
            }
        }
        EncodeText(text[at..], ids);
        return [.. ids];
    }

    /// <summary>The text of <paramref name="ids"/>. Bytes that are not valid UTF-8 become U+FFFD, as in the reference.</summary>
    public string Decode(IEnumerable<int> ids, bool skipSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(ids);
        List<byte> bytes = [];
        foreach (int id in ids)
        {
            if (_addedById.TryGetValue(id, out AddedToken? added))
            {
                if (!(skipSpecialTokens && added.Special))
                    bytes.AddRange(Encoding.UTF8.GetBytes(added.Content));
            }
            else if (_tokens.TryGetValue(id, out string? token))
            {
                ByteAlphabet.AppendBytes(token, bytes);
            }
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private void EncodeText(string text, List<int> ids)
    {
        if (text.Length == 0)
            return;
        if (_prefixSpace && !char.IsWhiteSpace(text[0]))
            text = " " + text;
        foreach (string piece in Split(text, 0))
        {
            string word = ByteAlphabet.FromText(piece);
            if (_wholeWordsFirst && _vocabulary.TryGetValue(word, out int id))
                ids.Add(id);
            else
                ids.AddRange(_merges.EncodeToIds(word, considerPreTokenization: false, considerNormalization: false));
        }
    }

    // Every split in turn cuts the pieces of the one before it; matches and the text between them are both pieces.
    private IEnumerable<string> Split(string text, int level)
    {
        if (level == _splits.Count)
        {
            yield return text;
            yield break;
        }
        int at = 0;
        foreach (Match match in _splits[level].Matches(text))
        {
            if (match.Length == 0)
                continue;
            if (match.Index > at)
            {
                foreach (string piece in Split(text[at..match.Index], level + 1))
                    yield return piece;
            }
            foreach (string piece in Split(match.Value, level + 1))
                yield return piece;
            at = match.Index + match.Length;
        }
        if (at < text.Length)
        {
            foreach (string piece in Split(text[at..], level + 1))
                yield return piece;
        }
    }
}
