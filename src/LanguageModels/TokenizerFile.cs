using System.Text.Json;
using System.Text.RegularExpressions;

namespace FedKSeed.LanguageModels;

/// <summary>A token beside the merges' vocabulary, found in the text before anything else happens to it.</summary>
internal sealed record AddedToken(int Id, string Content, bool Special, bool StripLeft, bool StripRight)
{
    /// <summary>One expression for all of them, longest first; group 1 is the token without the white space that it strips.</summary>
    public static Regex Pattern(IReadOnlyList<AddedToken> tokens) => new(
        string.Join('|', tokens.OrderByDescending(token => token.Content.Length).Select(token =>
            $"{(token.StripLeft ? @"\s*" : "")}(?<1>{Regex.Escape(token.Content)}){(token.StripRight ? @"\s*" : "")}")),
        RegexOptions.CultureInvariant);
}

/// <summary>What this library uses of a tokenizer.json; whatever it does not support is an error that names the field.</summary>
internal sealed record TokenizerFile
{
    // The split that "ByteLevel" with use_regex means: GPT-2's.
    private const string ByteLevelPattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    public required Dictionary<string, int> Vocabulary { get; init; }

    /// <summary>"left right", most important first.</summary>
    public required IReadOnlyList<string> Merges { get; init; }
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>Applied one after the other.</summary>
    public required IReadOnlyList<Regex> Splits { get; init; }
    public required bool AddPrefixSpace { get; init; }

    /// <summary>A piece that is in the vocabulary as a whole is one token, whatever the merges say.</summary>
    public required bool IgnoreMerges { get; init; }

    /// <summary>The token that the post-processor puts before every text, if any.</summary>
    public required string? LeadingToken { get; init; }

    public static TokenizerFile Read(JsonElement root)
    {
        JsonElement model = root.GetProperty("model");
        Require(Text(model, "type") is null or "BPE", "model.type", Text(model, "type"), "BPE");
        Require(!Flag(model, "byte_fallback"), "model.byte_fallback", "true", "false: byte-level BPE");
        foreach (string field in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            Require(string.IsNullOrEmpty(Text(model, field)), $"model.{field}", Text(model, field), "null");
        Require(Object(root, "normalizer") is null, "normalizer", Object(root, "normalizer")?.ToString(), "null");
        (List<Regex> splits, bool prefixSpace) = ReadPreTokenizer(root);
        return new TokenizerFile
        {
            Vocabulary = model.GetProperty("vocab").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32()),
            Merges = [.. model.GetProperty("merges").EnumerateArray().Select(ReadMerge)],
            AddedTokens = Object(root, "added_tokens") is { } tokens ? [.. tokens.EnumerateArray().Select(ReadAddedToken)] : [],
            Splits = splits,
            AddPrefixSpace = prefixSpace,
            IgnoreMerges = Flag(model, "ignore_merges"),
            LeadingToken = ReadLeadingToken(root),
        };
    }

    private static string ReadMerge(JsonElement merge) =>
        merge.ValueKind == JsonValueKind.String ? merge.GetString()! : $"{merge[0].GetString()} {merge[1].GetString()}";

    private static AddedToken ReadAddedToken(JsonElement token)
    {
        string content = token.GetProperty("content").GetString()!;
        Require(!Flag(token, "single_word"), $"added token '{content}', single_word", "true", "false");
        int id = token.GetProperty("id").GetInt32();
        return new AddedToken(id, content, Flag(token, "special"), Flag(token, "lstrip"), Flag(token, "rstrip"));
    }

    private static (List<Regex> Splits, bool AddPrefixSpace) ReadPreTokenizer(JsonElement root)
    {
        List<Regex> splits = [];
        bool byteLevel = false, prefixSpace = false;
        JsonElement? top = Object(root, "pre_tokenizer");
        JsonElement[] steps = top is not { } only ? []
            : Text(only, "type") == "Sequence" ? [.. only.GetProperty("pretokenizers").EnumerateArray()]
            : [only];
        foreach (JsonElement step in steps)
        {
            string? type = Text(step, "type");
            Require(type is "ByteLevel" or "Split", "pre_tokenizer", type, "ByteLevel, Split");
            if (type == "Split")
            {
                splits.Add(ReadSplit(step));
                continue;
            }
            byteLevel = true;
            prefixSpace = Flag(step, "add_prefix_space");
            if (Flag(step, "use_regex", absent: true))
                splits.Add(Compile(ByteLevelPattern));
        }
        Require(byteLevel, "pre_tokenizer", "one without ByteLevel", "ByteLevel, alone or after Splits");
        return (splits, prefixSpace);
    }

    private static Regex ReadSplit(JsonElement step)
    {
        Require(Text(step, "behavior") == "Isolated", "pre_tokenizer.behavior", Text(step, "behavior"), "Isolated");
        Require(!Flag(step, "invert"), "pre_tokenizer.invert", "true", "false");
        JsonElement pattern = step.GetProperty("pattern");
        return Compile(Text(pattern, "Regex") ?? Regex.Escape(pattern.GetProperty("String").GetString()!));
    }

    // Llama 3 and its like put their first token before every text by a template; the newer form is a sequence of processors.
    private static string? ReadLeadingToken(JsonElement root)
    {
        if (Object(root, "post_processor") is not { } top)
            return null;
        JsonElement[] processors = Text(top, "type") == "Sequence" ? [.. top.GetProperty("processors").EnumerateArray()] : [top];
        foreach (JsonElement processor in processors.Where(processor => Text(processor, "type") == "TemplateProcessing"))
        {
            JsonElement first = processor.GetProperty("single").EnumerateArray().FirstOrDefault();
            if (first.ValueKind == JsonValueKind.Object && Object(first, "SpecialToken") is { } special)
                return special.GetProperty("id").GetString();
        }
        return null;
    }

    private static Regex Compile(string pattern) => new(pattern, RegexOptions.CultureInvariant | RegexOptions.Compiled);

    private static JsonElement? Object(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out JsonElement value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    private static string? Text(JsonElement parent, string name) => Object(parent, name)?.GetString();

    private static bool Flag(JsonElement parent, string name, bool absent = false) => Object(parent, name)?.GetBoolean() ?? absent;

    private static void Require(bool condition, string field, string? found, string supported)
    {
        if (!condition)
            throw new NotSupportedException($"{field} is {found ?? "absent"}; supported: {supported}.");
    }
}
