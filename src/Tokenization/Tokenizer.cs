using System.Text.Json;

namespace FedKSeed.Tokenization;

/// <summary>
/// Text to token ids and back, as the tokenizer of a Hugging Face folder has them: BPE of bytes or, as in SentencePiece, of
/// characters that fall back to bytes (tokenizer.json), or a SentencePiece model (tokenizer.model). Text is code points: a lone surrogate,
/// which is none, counts as U+FFFD. Safe for use from several threads.
/// </summary>
public sealed class Tokenizer
{
    private readonly BpeEncoder _encoder;
    private readonly TokenDecoder _decoder;
    private readonly AddedTokens _raw;
    private readonly AddedTokens _normalized;
    private readonly string?[] _tokens;
    private readonly Dictionary<int, AddedToken> _addedById;

    internal Tokenizer(TokenizerFile file, SpecialTokens special)
    {
        _encoder = file.Encoder;
        _decoder = file.Decoder;
        _addedById = file.AddedTokens.ToDictionary(token => token.Id);
        _raw = new AddedTokens(file.AddedTokens.Where(token => !token.Normalized).Select(token => (token.Content, token)));
        _normalized = new AddedTokens(
            file.AddedTokens.Where(token => token.Normalized).Select(token => (_encoder.Normalise(token.Content), token)));
        Special = special;
        VocabularySize = file.Vocabulary.Values.Concat(_addedById.Keys).Max() + 1;
        _tokens = new string?[VocabularySize];
        foreach ((var token, var id) in file.Vocabulary)
            _tokens[id] = token;
        foreach ((var id, var token) in _addedById)
            _tokens[id] = token.Content;
    }

    /// <summary>Beginning and end of a text, as the model's files name them.</summary>
    public SpecialTokens Special { get; }

    /// <summary>One more than the largest id this tokenizer can give.</summary>
    public int VocabularySize { get; }

    /// <summary>Whether a folder has a file that <see cref="Load"/> reads.</summary>
    public static bool IsIn(string folder) => PathIn(folder) is not null;

    /// <summary>
    /// Reads tokenizer.json of a model folder, else tokenizer.model, and the files beside it that name its special tokens.
    /// </summary>
    /// <exception cref="InvalidDataException">A file is missing or asks for what is not supported; the message names it.</exception>
    public static Tokenizer Load(string folder)
    {
        var path = PathIn(folder) ?? throw new InvalidDataException(
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
    /// <param name="text">What to encode.</param>
    /// <param name="limit">So many ids at most: those that the whole text begins with. What comes behind them is not worked on.</param>
    /// <exception cref="InvalidDataException">A pattern of the tokenizer's takes too many steps on this text.</exception>
    public int[] Encode(string text, int limit = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(text);
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        List<int> ids = [];
        var queue = _encoder.NewQueue();
        var valid = CodePoints.Of(text);
        foreach ((var part, var token) in _raw.Split(valid))
        {
            if (ids.Count >= limit)
                break;
            if (token is null)
                EncodeBetween(valid[part], part.Start.Value == 0, queue, limit, ids);
            else
                ids.Add(token.Id);
        }
        return ids.Count > limit ? [.. ids[..limit]] : [.. ids];
    }

    /// <summary>The text of <paramref name="ids"/>. Bytes that are not valid UTF-8 become U+FFFD, as in the reference.</summary>
    public string Decode(IEnumerable<int> ids, bool skipSpecialTokens = true)
    {
        ArgumentNullException.ThrowIfNull(ids);
        List<string> tokens = [];
        foreach (var id in ids)
        {
            var isLeftOut = skipSpecialTokens && _addedById.TryGetValue(id, out var added) && added.Special;
            if (!isLeftOut && id >= 0 && id < _tokens.Length && _tokens[id] is { } token)
                tokens.Add(token);
        }
        return _decoder.Decode(tokens);
    }

    /// <summary>Whether an id is a special token's: one that text does not have but to mark something.</summary>
    public bool IsSpecial(int id) => _addedById.TryGetValue(id, out var token) && token.Special;

    private static string? PathIn(string folder) =>
        new[] { TokenizerFile.Name, TokenizerFile.SentencePieceName }.Select(name => Path.Combine(folder,
            name)).FirstOrDefault(File.Exists);

    private static TokenizerFile Read(string path)
    {
        var bytes = File.ReadAllBytes(path);
        if (Path.GetFileName(path) == TokenizerFile.SentencePieceName)
            return TokenizerFile.Of(SentencePieceModel.Read(bytes));
        using var json = JsonDocument.Parse(bytes);
        return TokenizerFile.Read(json.RootElement);
    }

    private void EncodeBetween(string text, bool isFirst, MergeQueue queue, int limit, List<int> ids)
    {
        var normal = _encoder.Normalise(text);
        foreach ((var part, var token) in _normalized.Split(normal))
        {
            if (ids.Count >= limit)
                return;
            if (token is null)
                _encoder.Encode(normal[part], isFirst && part.Start.Value == 0, queue, limit, ids);
            else
                ids.Add(token.Id);
        }
    }
}
