using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>
/// Which fields of the data stand for those that a form knows, as <c>--fields instruction=title,output=body</c> says it. Immutable.
/// </summary>
public sealed class FieldNames
{
    private readonly Dictionary<string, string> _inData;

    private FieldNames(Dictionary<string, string> inData) => _inData = inData;

    /// <summary>Every field has its own name.</summary>
    public static FieldNames AsTheyAre { get; } = new([]);

    public bool AreAsTheyAre => _inData.Count == 0;

    /// <param name="text">Pairs of a form's field and the data's, <c>=</c> between them, commas between pairs; null for none.</param>
    /// <param name="forms">Whose fields may be named; null for all that there are.</param>
    /// <exception cref="InvalidDataException">It is not of that form, or names a field that no form has.</exception>
    public static FieldNames Parse(string? text, DataForms? forms = null)
    {
        if (text is null)
            return AsTheyAre;
        var known = (forms ?? DataForms.Standard).Fields.ToArray();
        Dictionary<string, string> names = new(StringComparer.Ordinal);
        foreach (var pair in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (pair.Split('=', 2, StringSplitOptions.TrimEntries) is not [{ Length: > 0 } field, { Length: > 0 } inData])
                throw new InvalidDataException($"'{pair}' must be a field of a form, =, and the data's name for it: instruction=title.");
            if (!known.Contains(field, StringComparer.Ordinal))
                throw new InvalidDataException($"no form has a field '{field}'; there are {string.Join(", ", known)}.");
            if (!names.TryAdd(field, inData))
                throw new InvalidDataException($"'{field}' is named twice.");
        }
        return new FieldNames(names);
    }

    /// <summary>What the data calls a form's field.</summary>
    public string InData(string field) => _inData.GetValueOrDefault(field, field);

    /// <summary>The record with the form's names: who reads it needs to be told no more.</summary>
    public JsonElement Renamed(JsonElement record)
    {
        if (AreAsTheyAre || record.ValueKind != JsonValueKind.Object)
            return record;
        var formOf = _inData.Where(pair => record.TryGetProperty(pair.Value, out _)).ToLookup(pair => pair.Value, pair => pair.Key);
        var taken = formOf.SelectMany(fields => fields).ToHashSet(StringComparer.Ordinal);
        Dictionary<string, JsonElement> renamed = new(StringComparer.Ordinal);
        foreach (var field in record.EnumerateObject())
        {
            foreach (var name in formOf[field.Name])
                renamed[name] = field.Value;
            // A field of the data that has the name of one that another stands for is not that one.
            if (!formOf.Contains(field.Name) && !taken.Contains(field.Name))
                renamed[field.Name] = field.Value;
        }
        return JsonSerializer.SerializeToElement(renamed);
    }

    public override string ToString() => string.Join(',', _inData.Select(pair => $"{pair.Key}={pair.Value}"));
}
