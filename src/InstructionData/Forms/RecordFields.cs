using System.Collections.ObjectModel;
using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>
/// A record's fields by the names that its form has for them. What is wrong with one is a FormatException that names the field as the
/// data does.
/// </summary>
public readonly struct RecordFields(JsonElement json, FieldNames names)
{
    public RecordFields(JsonElement json)
        : this(json, FieldNames.AsTheyAre)
    {
    }

    public bool IsObject => json.ValueKind == JsonValueKind.Object;

    /// <exception cref="FormatException">It is a list, a number or a text.</exception>
    public void RequireObject()
    {
        if (!IsObject)
            throw new FormatException($"a line must be an object, this one is {json.ValueKind}.");
    }

    public bool Has(string field) => json.TryGetProperty(names.InData(field), out _);

    /// <summary>A string, or the only way to have none: a field that is absent or null.</summary>
    public string? OptionalText(string field) =>
        json.TryGetProperty(names.InData(field), out var value) && value.ValueKind != JsonValueKind.Null ? Text(field) : null;

    public string Text(string field)
    {
        var value = Value(field);
        return value.ValueKind == JsonValueKind.String ? value.GetString()!
            : throw new FormatException($"\"{names.InData(field)}\" must be a string, it is {value.ValueKind}.");
    }

    /// <summary>One string or a list of at least one.</summary>
    public IReadOnlyList<string> Texts(string field)
    {
        var value = Value(field);
        if (value.ValueKind == JsonValueKind.String)
            return [value.GetString()!];
        JsonElement[] items = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [];
        return items.Length > 0 && items.All(item => item.ValueKind == JsonValueKind.String)
            ? [.. items.Select(item => item.GetString()!)]
            : throw new FormatException($"\"{names.InData(field)}\" must be a string or a list of strings.");
    }

    /// <summary>A list; in a table, a cell that holds one as JSON.</summary>
    public IReadOnlyList<JsonElement> List(string field)
    {
        var value = Structured(field);
        return value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()]
            : throw new FormatException($"\"{names.InData(field)}\" must be a list, it is {value.ValueKind}.");
    }

    /// <summary>A list or an object; in a table, a cell that holds one as JSON.</summary>
    public JsonElement Structured(string field)
    {
        var value = Value(field);
        if (value.ValueKind != JsonValueKind.String || value.GetString()!.AsSpan().TrimStart() is not (['[', ..] or ['{', ..]))
            return value;
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(value.GetString()!);
        }
        catch (JsonException)
        {
            return value; // a text that begins with a bracket
        }
    }

    public JsonElement Value(string field) => json.TryGetProperty(names.InData(field), out var value)
        ? value
        : throw new FormatException($"\"{names.InData(field)}\" is missing.");

    /// <summary>All fields that are not null, but some, by the names that the data has for them.</summary>
    public IReadOnlyDictionary<string, JsonElement> Others(params string[] known)
    {
        string[] left = [.. known.Select(names.InData)];
        var others = json.EnumerateObject()
            .Where(field => field.Value.ValueKind != JsonValueKind.Null && !left.Contains(field.Name))
            .DistinctBy(field => field.Name)
            .ToDictionary(field => field.Name, field => field.Value);
        return others.Count == 0 ? ReadOnlyDictionary<string, JsonElement>.Empty : others;
    }

    /// <summary>What the assistant is told beforehand, where a record says it beside other fields; null where it is told nothing.</summary>
    public string? System(string field = "system") => OptionalText(field) is { Length: > 0 } text ? text : null;
}
