using System.Text.Json;

namespace FedKSeed.Tokenization;

/// <summary>Tokens that begin and end a text.</summary>
/// <param name="Beginning">The id put before every prompt; null where the model does without.</param>
/// <param name="Ends">Every id that ends a generated text. The first is the one that training appends; none: texts just end.</param>
public sealed record SpecialTokens(int? Beginning, IReadOnlyList<int> Ends)
{
    /// <summary>The id that training appends to a response; null where the model has none.</summary>
    public int? End => Ends.Count > 0 ? Ends[0] : null;

    /// <summary>
    /// tokenizer_config.json and special_tokens_map.json name tokens, config.json and generation_config.json give ids;
    /// any of them may be absent. Whether a text begins with the first token is the tokenizer's decision, not the model's.
    /// </summary>
    internal static SpecialTokens Read(string folder, TokenizerFile tokenizer)
    {
        Dictionary<string, int> ids = new(tokenizer.Vocabulary, StringComparer.Ordinal);
        foreach (var token in tokenizer.AddedTokens)
            ids[token.Content] = token.Id;

        JsonElement[] named = [ReadObject(folder, "tokenizer_config.json"), ReadObject(folder, "special_tokens_map.json")];
        JsonElement[] numbered = [ReadObject(folder, "generation_config.json"), ReadObject(folder, "config.json")];

        // By name first: the tokenizer's own files know best.
        IEnumerable<int> Find(string token) => named
            .Select(file => TokenText(file, token)).OfType<string>()
            .Where(ids.ContainsKey).Select(text => ids[text])
            .Concat(numbered.SelectMany(file => Ids(file, $"{token}_id")));

        var beginning = tokenizer.LeadingToken is { } leading && ids.TryGetValue(leading, out var id) ? id
            : AddsBeginning(named[0]) ? Find("bos_token").Cast<int?>().FirstOrDefault()
            : null;
        return new SpecialTokens(beginning, [.. Find("eos_token").Distinct()]);
    }

    private static bool AddsBeginning(JsonElement file) =>
        file.ValueKind == JsonValueKind.Object
        && file.TryGetProperty("add_bos_token", out var adds)
        && adds.ValueKind == JsonValueKind.True;

    // A token is its text, or an object that holds the text.
    private static string? TokenText(JsonElement file, string field) =>
        file.ValueKind != JsonValueKind.Object || !file.TryGetProperty(field, out var token) ? null
        : token.ValueKind == JsonValueKind.String ? token.GetString()
        : token.ValueKind == JsonValueKind.Object ? token.GetProperty("content").GetString()
        : null;

    private static IEnumerable<int> Ids(JsonElement file, string field) =>
        file.ValueKind != JsonValueKind.Object || !file.TryGetProperty(field, out var value) ? []
        : value.ValueKind == JsonValueKind.Number ? [value.GetInt32()]
        : value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Select(id => id.GetInt32())
        : [];

    private static JsonElement ReadObject(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        return File.Exists(path) ? JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(path)) : default;
    }
}
