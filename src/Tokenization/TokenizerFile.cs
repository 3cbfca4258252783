using System.Text.Json;
using System.Text.RegularExpressions;
using FedKSeed.Tokenization.Unicode;

namespace FedKSeed.Tokenization;

/// <summary>A token beside the merges' vocabulary, found in the text before anything else happens to it.</summary>
internal sealed record AddedToken(int Id, string Content, bool Special, bool StripLeft, bool StripRight)
{
    /// <summary>One expression for all of them, longest first; group 1 is the token without the white space that it strips.</summary>
    public static Regex Pattern(IReadOnlyList<AddedToken> tokens) => new(
        string.Join('|', tokens.OrderByDescending(token => token.Content.Length).Select(token =>
            $"{(token.StripLeft ? @"\s*" : "")}(?<1>{Regex.Escape(token.Content)}){(token.StripRight ? @"\s*" : "")}")),
        RegexOptions.CultureInvariant);
}

/// <summary>What this library uses of a tokenizer's files; whatever it does not support is an error that names the field.</summary>
internal sealed record TokenizerFile
{
    /// <summary>A Hugging Face tokenizer.</summary>
    public const string Name = "tokenizer.json";

    /// <summary>A SentencePiece model, for want of <see cref="Name"/>.</summary>
    public const string SentencePieceName = "tokenizer.model";

    // The split that "ByteLevel" with use_regex means: GPT-2's.
    private const string ByteLevelPattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public required Dictionary<string, int> Vocabulary { get; init; }
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>The token that stands before every text, if any.</summary>
    public required string? LeadingToken { get; init; }

    public required BpeEncoder Encoder { get; init; }

    /// <summary>Applied one after the other to the tokens of a text.</summary>
    public required IReadOnlyList<Func<List<string>, List<string>>> Decoders { get; init; }

    /// <summary>tokenizer.json.</summary>
    public static TokenizerFile Read(JsonElement root)
    {
        var model = root.GetProperty("model");
        Require(Text(model, "type") is null or "BPE", "model.type", Text(model, "type"), "BPE");
        foreach (var field in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            Require(string.IsNullOrEmpty(Text(model, field)), $"model.{field}", Text(model, field), "null");
        var settings = ReadModel(root, model);
        return new TokenizerFile
        {
            Vocabulary = settings.Vocabulary,
            AddedTokens = Object(root, "added_tokens") is { } tokens ? [.. tokens.EnumerateArray().Select(ReadAddedToken)] : [],
            LeadingToken = ReadLeadingToken(root),
            Encoder = new BpeEncoder(settings),
            Decoders = settings.IsByteLevel ? [TokenDecoder.ByteLevel] : [.. Steps(root, "decoder", "decoders").Select(ReadDecoder)],
        };
    }

    /// <summary>tokenizer.model; its control tokens are found in texts, as in the reference's own reader.</summary>
    public static TokenizerFile Of(SentencePieceModel model)
    {
        (string Text, int Id, PieceType Type)[] pieces = [.. model.Pieces.Select((piece, id) => (piece.Text, id, piece.Type))];
        var hasBytes = pieces.Any(piece => piece.Type == PieceType.Byte);
        Func<string, string>[] prefix = model.HasDummyPrefix ? [text => " " + text] : [];
        BpeSettings settings = new()
        {
            Vocabulary = model.Vocabulary(),
            Merges = model.Merges(),
            Normalizers = [.. prefix, text => text.Replace(' ', TokenDecoder.SentencePieceSpace)],
            Splitters = [],
            IsByteLevel = false,
            IgnoreMerges = false,
            ByteFallback = hasBytes,
            UnknownId = pieces.Where(piece => piece.Type == PieceType.Unknown).Select(piece => (int?)piece.Id).FirstOrDefault(),
            FuseUnknown = true,
        };
        return new TokenizerFile
        {
            Vocabulary = settings.Vocabulary,
            AddedTokens = [.. pieces.Where(piece => piece.Type is PieceType.Unknown or PieceType.Control or PieceType.UserDefined)
                .Select(piece => new AddedToken(
                    piece.Id, piece.Text, Special: piece.Type != PieceType.UserDefined, StripLeft: false, StripRight: false))],
            LeadingToken = model.BeginningId >= 0 && model.BeginningId < pieces.Length ? pieces[model.BeginningId].Text : null,
            Encoder = new BpeEncoder(settings),
            Decoders = TokenDecoder.SentencePiece(model.HasDummyPrefix),
        };
    }

    private static BpeSettings ReadModel(JsonElement root, JsonElement model)
    {
        var vocabulary = model.GetProperty("vocab").EnumerateObject()
            .ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32(), StringComparer.Ordinal);
        var steps = Steps(root, "pre_tokenizer", "pretokenizers");
        var byteLevel = steps.Any(step => Text(step, "type") == "ByteLevel");
        var unknown = Text(model, "unk_token");
        var byteFallback = Flag(model, "byte_fallback");
        string[] merges = [.. model.GetProperty("merges").EnumerateArray().Select(ReadMerge)];
        Require(
            !byteFallback || !merges.Any(merge => merge.Contains("<0x", StringComparison.Ordinal)), "model.merges", "merging bytes",
            "merges of characters");
        return new BpeSettings
        {
            Vocabulary = vocabulary,
            Merges = merges,
            Normalizers = [.. Steps(root, "normalizer", "normalizers").Select(ReadNormalizer)],
            Splitters = [.. steps.SelectMany(ReadSplitters)],
            IsByteLevel = byteLevel,
            IgnoreMerges = Flag(model, "ignore_merges"),
            ByteFallback = byteFallback,
            UnknownId = unknown is not null && vocabulary.TryGetValue(unknown, out var id) ? id : null,
            FuseUnknown = Flag(model, "fuse_unk"),
        };
    }

    private static string ReadMerge(JsonElement merge) =>
        merge.ValueKind == JsonValueKind.String ? merge.GetString()! : $"{merge[0].GetString()} {merge[1].GetString()}";

    private static AddedToken ReadAddedToken(JsonElement token)
    {
        var content = token.GetProperty("content").GetString()!;
        Require(!Flag(token, "single_word"), $"added token '{content}', single_word", "true", "false");
        var id = token.GetProperty("id").GetInt32();
        return new AddedToken(id, content, Flag(token, "special"), Flag(token, "lstrip"), Flag(token, "rstrip"));
    }

    private static Func<string, string> ReadNormalizer(JsonElement step)
    {
        switch (Text(step, "type"))
        {
            case "Prepend":
                var prefix = step.GetProperty("prepend").GetString()!;
                return text => text.Length == 0 ? text : prefix + text;
            case "Replace":
                var pattern = ReadPattern(step);
                var content = step.GetProperty("content").GetString()!;
                return text => pattern.Replace(text, _ => content);
            case "NFC":
                return NormalizationFormC.Normalize;
            default:
                throw Unsupported("normalizer", Text(step, "type"), "Prepend, Replace, NFC, Sequence");
        }
    }

    private static IEnumerable<Splitter> ReadSplitters(JsonElement step)
    {
        switch (Text(step, "type"))
        {
            case "Split":
                Require(Text(step, "behavior") == "Isolated", "pre_tokenizer.behavior", Text(step, "behavior"), "Isolated");
                Require(!Flag(step, "invert"), "pre_tokenizer.invert", "true", "false");
                return [Splitters.Isolate(ReadPattern(step))];
            case "ByteLevel":
                Splitter[] prefix = Flag(step, "add_prefix_space") ? [Splitters.PrefixSpace] : [];
                Splitter[] split = Flag(step, "use_regex", absent: true) ? [Splitters.Isolate(Compile(ByteLevelPattern))] : [];
                return [.. prefix, .. split];
            case "Metaspace":
                (var space, var scheme) = ReadMetaspace(step);
                return [Splitters.Metaspace(space, scheme, Flag(step, "split", absent: true))];
            default:
                throw Unsupported("pre_tokenizer", Text(step, "type"), "ByteLevel, Split, Metaspace, Sequence");
        }
    }

    private static Func<List<string>, List<string>> ReadDecoder(JsonElement step)
    {
        switch (Text(step, "type"))
        {
            case "Replace":
                var from = Text(step.GetProperty("pattern"), "String");
                Require(from is not null, "decoder.pattern", "an expression", "a string");
                return TokenDecoder.Replace(from!, step.GetProperty("content").GetString()!);
            case "ByteFallback":
                return TokenDecoder.ByteFallback;
            case "Fuse":
                return TokenDecoder.Fuse;
            case "Strip":
                return TokenDecoder.Strip(
                    step.GetProperty("content").GetString()!.Single(), step.GetProperty("start").GetInt32(),
                    step.GetProperty("stop").GetInt32());
            case "Metaspace":
                (var space, var scheme) = ReadMetaspace(step);
                return TokenDecoder.Metaspace(space, scheme);
            default:
                throw Unsupported("decoder", Text(step, "type"), "ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace, Sequence");
        }
    }

    // The older form has add_prefix_space, true where it is absent.
    private static (char Space, string Scheme) ReadMetaspace(JsonElement step) =>
        (step.GetProperty("replacement").GetString()!.Single(),
        Text(step, "prepend_scheme") ?? (Flag(step, "add_prefix_space", absent: true) ? "always" : "never"));

    // Llama 3 and its like put their first token before every text by a template; the newer form is a sequence of processors.
    private static string? ReadLeadingToken(JsonElement root)
    {
        foreach (var processor in Steps(root, "post_processor", "processors").Where(step => Text(step, "type") == "TemplateProcessing"))
        {
            var first = processor.GetProperty("single").EnumerateArray().FirstOrDefault();
            if (first.ValueKind == JsonValueKind.Object && Object(first, "SpecialToken") is { } special)
                return special.GetProperty("id").GetString();
        }
        return null;
    }

    // A field holds nothing, one step, or a sequence of steps.
    private static JsonElement[] Steps(JsonElement root, string field, string sequence) =>
        Object(root, field) is not { } top ? []
        : Text(top, "type") == "Sequence" ? [.. top.GetProperty(sequence).EnumerateArray()]
        : [top];

    private static Regex ReadPattern(JsonElement step)
    {
        var pattern = step.GetProperty("pattern");
        return Compile(Text(pattern, "Regex") ?? Regex.Escape(pattern.GetProperty("String").GetString()!));
    }

    private static Regex Compile(string pattern) => new(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled);

    private static JsonElement? Object(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    private static string? Text(JsonElement parent, string name) => Object(parent, name)?.GetString();

    private static bool Flag(JsonElement parent, string name, bool absent = false) => Object(parent, name)?.GetBoolean() ?? absent;

    private static void Require(bool condition, string field, string? found, string supported)
    {
        if (!condition)
            throw Unsupported(field, found, supported);
    }

    private static NotSupportedException Unsupported(string field, string? found, string supported) =>
        new($"{field} is {found ?? "absent"}; supported: {supported}.");
}
