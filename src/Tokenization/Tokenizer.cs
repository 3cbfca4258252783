using System.Text.Json;
using System.Text.RegularExpressions;

namespace FedKSeed.Tokenization;

/// <summary>
/// Text to token ids and back, as the tokenizer of a Hugging Face folder has them: BPE of bytes or, as in SentencePiece, of
/// characters that fall back to bytes (tokenizer.json), or a SentencePiece model (tokenizer.model). Safe for use from several threads.
/// </summary>
public sealed class Tokenizer
{
    private readonly BpeEncoder _encoder;
    private readonly IReadOnlyList<Func<List<string>, List<string>>> _decoders;
    private readonly Regex? _addedTokenPattern;
    private readonly Dictionary<string, AddedToken> _addedTokens;
    private readonly Dictionary<int, string> _tokens;
    private readonly Dictionary<int, AddedToken> _addedById;

    internal Tokenizer(TokenizerFile file, SpecialTokens special)
    {
        _encoder = file.Encoder;
        _decoders = file.Decoders;
        _tokens = file.Vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        _addedTokens = file.AddedTokens.ToDictionary(token => token.Content, StringComparer.Ordinal);
        _addedById = file.AddedTokens.ToDictionary(token => token.Id);
        _addedTokenPattern = file.AddedTokens.Count == 0 ? null : AddedToken.Pattern(file.AddedTokens);
        Special = special;
        VocabularySize = Math.Max(_tokens.Keys.Max(), _addedById.Keys.DefaultIfEmpty(-1).Max()) + 1;
    }

    /// <summary>Beginning and end of a text, as the model's files name them.</summary>
    public SpecialTokens Special { get; }

    /// <summary>One more than the largest id this tokenizer can give.</summary>
    public int VocabularySize { get; }

    /// <summary>
    /// Reads tokenizer.json of a model folder, else tokenizer.model, and the files beside it that name its special tokens.
    /// </summary>
    /// <exception cref="InvalidDataException">A file is missing or asks for what is not supported; the message names it.</exception>
    public static Tokenizer Load(string folder)
    {
        var path = Path.Combine(folder, TokenizerFile.Name);
        if (!File.Exists(path))
            path = Path.Combine(folder, TokenizerFile.SentencePieceName);
        if (!File.Exists(path))
            throw new InvalidDataException(
                $"{folder}: {TokenizerFile.Name} is missing, and there is no {TokenizerFile.SentencePieceName} either.");
        try
        {
            var file = Read(path);
            return new Tokenizer(file, SpecialTokens.Read(folder, file));
        }
        catch (Exception e) when (e is not (OutOfMemoryException or InvalidDataException))
        {
            // Broken JSON, absent fields, wrong kinds of them, broken expressions, broken protobuf: all of it is the file's fault.
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Token ids of <paramref name="text"/>; special tokens written in the text are recognised, none is added.</summary>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = [];
        var at = 0;
        if (_addedTokenPattern is not null)
        {
            foreach (Match match in _addedTokenPattern.Matches(text))
            {
                EncodeBetween(text, at, match.Index, ids);
                ids.Add(_addedTokens[match.Groups[1].Value].Id);
                at = match.Index + match.Length;
            }
        }
        EncodeBetween(text, at, text.Length, ids);
        return [.. ids];
    }

    /// <summary>The text of <paramref name="ids"/>. Bytes that are not valid UTF-8 become U+FFFD, as in the reference.</summary>
    public string Decode(IEnumerable<int> ids, bool skipSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(ids);
        List<string> tokens = [];
        foreach (var id in ids)
        {
            if (_addedById.TryGetValue(id, out var added))
            {
                if (!(skipSpecialTokens && added.Special))
                    tokens.Add(added.Content);
            }
            else if (_tokens.TryGetValue(id, out var token))
            {
                tokens.Add(token);
            }
        }
        return string.Concat(_decoders.Aggregate(tokens, (some, decode) => decode(some)));
    }

    private static TokenizerFile Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        if (Path.GetFileName(path) == TokenizerFile.SentencePieceName)
            return TokenizerFile.Of(SentencePieceModel.Read(bytes));
        using var json = JsonDocument.Parse(bytes);
        return TokenizerFile.Read(json.RootElement);
    }

    private void EncodeBetween(string text, int from, int to, List<int> ids)
    {
        if (from < to)
            _encoder.Encode(text[from..to], isFirst: from == 0, ids);
    }
}
