using System.Text.Json;
using FedKSeed.Tokenization.Patterns;
using FedKSeed.Tokenization.Unicode;

namespace FedKSeed.Tokenization;

/// <summary>Two tokens that become one; the lower the rank, the earlier.</summary>
internal readonly record struct Merge(string Left, string Right, int Rank);

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

    public required TokenDecoder Decoder { get; init; }

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
            Decoder = new TokenDecoder([.. Steps(root, "decoder", "decoders").Select(ReadDecoder)]),
        };
    }

    /// <summary>tokenizer.model; its control tokens are found in texts, as in the reference's own reader.</summary>
    public static TokenizerFile Of(SentencePieceModel model)
    {
        (string Text, int Id, PieceType Type)[] pieces = [.. model.Pieces.Select((piece, id) => (piece.Text, id, piece.Type))];
        var hasBytes = pieces.Any(piece => piece.Type == PieceType.Byte);
        Func<string, string>[] prefix = model.HasDummyPrefix ? [text => " " + text] : [];
        var vocabulary = model.Vocabulary();
        Merge[] merges = [.. model.Merges()];
        BpeSettings settings = new()
        {
            Vocabulary = vocabulary,
            Merges = Pairs(vocabulary, merges),
            Joints = MergeJoints.Of(vocabulary, merges),
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
                    piece.Id,
                    piece.Text,
                    Special: piece.Type != PieceType.UserDefined,
                    Normalized: false,
                    StripLeft: false,
                    StripRight: false))],
            LeadingToken = model.BeginningId >= 0 && model.BeginningId < pieces.Length ? pieces[model.BeginningId].Text : null,
            Encoder = new BpeEncoder(settings),
            Decoder = TokenDecoder.SentencePiece(model.HasDummyPrefix),
        };
    }

    private static BpeSettings ReadModel(JsonElement root, JsonElement model)
    {
        var vocabulary = model.GetProperty("vocab").EnumerateObject()
            .ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32(), StringComparer.Ordinal);
        var steps = Steps(root, "pre_tokenizer", "pretokenizers");
        var byteLevel = steps.Length > 0 && Text(steps[^1], "type") == "ByteLevel";
        Require(
            steps.SkipLast(1).All(step => Text(step, "type") != "ByteLevel"),
            "pre_tokenizer",
            "ByteLevel before another step",
            "ByteLevel last");
        var unknown = Text(model, "unk_token");
        Merge[] merges = [.. model.GetProperty("merges").EnumerateArray().Select(ReadMerge)];
        return new BpeSettings
        {
            Vocabulary = vocabulary,
            Merges = Pairs(vocabulary, merges),
            Joints = byteLevel ? null : MergeJoints.Of(vocabulary, merges),
            Normalizers = [.. Steps(root, "normalizer", "normalizers").Select(ReadNormalizer)],
            Splitters = [.. steps.SelectMany(ReadSplitters)],
            IsByteLevel = byteLevel,
            IgnoreMerges = Flag(model, "ignore_merges"),
            ByteFallback = Flag(model, "byte_fallback"),
            UnknownId = unknown is null ? null
                : vocabulary.TryGetValue(unknown, out var id) ? id
                : throw Unsupported("model.unk_token", $"'{unknown}', which the vocabulary lacks", "a token of it"),
            FuseUnknown = Flag(model, "fuse_unk"),
        };
    }

    private static PairTable Pairs(Dictionary<string, int> vocabulary, Merge[] merges)
    {
        PairTable table = new(merges.Length);
        foreach (var merge in merges)
            table.Set(Id(merge.Left), Id(merge.Right), merge.Rank, Id(merge.Left + merge.Right));
        return table;

        int Id(string token) =>
            vocabulary.TryGetValue(token, out var id) ? id
            : throw new FormatException($"a merge is of the token '{token}', which the vocabulary lacks.");
    }

    // Two tokens, or both in one text with a space between them.
    private static Merge ReadMerge(JsonElement merge, int rank)
    {
        if (merge.ValueKind != JsonValueKind.String)
            return new Merge(merge[0].GetString()!, merge[1].GetString()!, rank);
        var parts = merge.GetString()!.Split(' ');
        return parts.Length == 2 ? new Merge(parts[0], parts[1], rank)
            : throw new FormatException($"model.merges[{rank}] is '{merge.GetString()}': two tokens with a space between them are wanted.");
    }

    private static AddedToken ReadAddedToken(JsonElement token)
    {
        var content = token.GetProperty("content").GetString()!;
        Require(!Flag(token, "single_word"), $"added token '{content}', single_word", "true", "false");
        var id = token.GetProperty("id").GetInt32();
        return new AddedToken(
            id, content, Flag(token, "special"), Flag(token, "normalized"), Flag(token, "lstrip"), Flag(token, "rstrip"));
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
                return text => pattern.Replace(text, content);
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
                Require(
                    Enum.TryParse(Text(step, "behavior"), out SplitBehavior behavior),
                    "pre_tokenizer.behavior",
                    Text(step, "behavior"),
                    string.Join(", ", Enum.GetNames<SplitBehavior>()));
                return [Splitters.Split(ReadPattern(step), behavior, Flag(step, "invert"))];
            case "Digits":
                return [Splitters.Digits(Flag(step, "individual_digits"))];
            case "ByteLevel":
                Splitter[] prefix = Flag(step, "add_prefix_space") ? [Splitters.PrefixSpace] : [];
                Splitter[] split = Flag(step, "use_regex", absent: true)
                    ? [Splitters.Split(SplitPattern.OfExpression(ByteLevelPattern), SplitBehavior.Isolated, isInverted: false)]
                    : [];
                return [.. prefix, .. split];
            case "Metaspace":
                (var space, var scheme) = ReadMetaspace(step);
                return [Splitters.Metaspace(space, scheme, Flag(step, "split", absent: true))];
            default:
                throw Unsupported("pre_tokenizer", Text(step, "type"), "ByteLevel, Digits, Metaspace, Sequence, Split");
        }
    }

    private static DecodeStep ReadDecoder(JsonElement step)
    {
        switch (Text(step, "type"))
        {
            case "ByteLevel":
                return TokenDecoder.ByteLevel;
            case "Replace":
                return TokenDecoder.Replace(ReadPattern(step), step.GetProperty("content").GetString()!);
            case "ByteFallback":
                return TokenDecoder.ByteFallback;
            case "Fuse":
                return TokenDecoder.Fuse;
            case "Strip":
                return TokenDecoder.Strip(
                    step.GetProperty("content").GetString()!.EnumerateRunes().Single(),
                    step.GetProperty("start").GetInt32(),
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

    private static SplitPattern ReadPattern(JsonElement step)
    {
        var pattern = step.GetProperty("pattern");
        return Text(pattern, "Regex") is { } expression ? SplitPattern.OfExpression(expression)
            : SplitPattern.Of(pattern.GetProperty("String").GetString()!);
    }

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
