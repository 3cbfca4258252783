using System.Text.Json;

namespace FedKSeed.Tokenization.Templates;

/// <summary>Finds the chat templates of a model's folder, where transformers looks for them.</summary>
public static class ChatTemplateFiles
{
    /// <summary>The template that is taken where none is named.</summary>
    public const string DefaultName = "default";

    private const string Own = "chat_template.jinja", Additional = "additional_chat_templates", Config = "tokenizer_config.json",
        Legacy = "chat_template.json", Field = "chat_template";

    // tokenizer_config.json's tokens that templates know as variables.
    private static readonly string[] TokenFields = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
        "mask_token"];

    /// <summary>The one that is taken, where there is one of this name, for conversations in which functions may be called.</summary>
    public const string ToolUseName = "tool_use";

    /// <summary>The names of a folder's templates; none where it has none.</summary>
    /// <exception cref="InvalidDataException">A file is broken; the message says which.</exception>
    public static IReadOnlyCollection<string> Names(string folder) => All(folder).Keys;

    /// <summary>The template of a name; null where the folder has none.</summary>
    /// <exception cref="InvalidDataException">
    /// A file is broken, or there are templates but none of this name; the message says which.
    /// </exception>
    public static ChatTemplate? Load(string folder, string? name = null)
    {
        var all = All(folder);
        if (all.Count == 0)
            return null;
        var wanted = name ?? (all.Count == 1 ? all.Keys.First() : DefaultName);
        if (!all.TryGetValue(wanted, out var found))
            throw new InvalidDataException($"{folder}: there is no chat template '{wanted}'; there are {string.Join(", ", all.Keys)}.");
        return new ChatTemplate(found.Source, found.Place, SpecialTokens(folder));
    }

    private static SortedDictionary<string, (string Source, string Place)> All(string folder)
    {
        SortedDictionary<string, (string, string)> all = new(StringComparer.Ordinal);
        foreach (var file in new[] { Config, Legacy }.Select(name => Path.Combine(folder, name)).Where(File.Exists).Reverse())
            AddOfJson(all, file);
        var own = Path.Combine(folder, Own);
        if (File.Exists(own))
        {
            all.Clear();
            all[DefaultName] = (File.ReadAllText(own), own);
        }
        var additional = Path.Combine(folder, Additional);
        foreach (var file in Directory.Exists(additional) ? Directory.EnumerateFiles(additional, "*.jinja") : [])
            all[Path.GetFileNameWithoutExtension(file)] = (File.ReadAllText(file), file);
        return all;
    }

    // One template, or a list of them under names.
    private static void AddOfJson(SortedDictionary<string, (string, string)> all, string file)
    {
        if (!Read(file).TryGetProperty(Field, out var templates))
            return;
        var place = $"{file}, {Field}";
        if (templates.ValueKind == JsonValueKind.String)
            all[DefaultName] = (templates.GetString()!, place);
        foreach (var template in templates.ValueKind == JsonValueKind.Array ? templates.EnumerateArray() : default)
        {
            var name = template.TryGetProperty("name", out var value) ? value.GetString() : null;
            var source = template.TryGetProperty("template", out value) ? value.GetString() : null;
            if (name is null || source is null)
                throw new InvalidDataException($"{place}: each of a list must have name and template.");
            all[name] = (source, $"{place} '{name}'");
        }
    }

    private static Dictionary<string, string> SpecialTokens(string folder)
    {
        var file = Path.Combine(folder, Config);
        Dictionary<string, string> tokens = [];
        var config = File.Exists(file) ? Read(file) : default;
        foreach (var field in config.ValueKind == JsonValueKind.Object ? TokenFields : [])
        {
            if (config.TryGetProperty(field, out var token)
                && (token.ValueKind == JsonValueKind.Object ? token.GetProperty("content")
                    : token) is { ValueKind: JsonValueKind.String } text)
                tokens[field] = text.GetString()!;
        }
        return tokens;
    }

    private static JsonElement Read(string file)
    {
        try
        {
            var root = JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(file));
            return root.ValueKind == JsonValueKind.Object ? root : throw new JsonException("it must be an object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file}: {e.Message}", e);
        }
    }
}
