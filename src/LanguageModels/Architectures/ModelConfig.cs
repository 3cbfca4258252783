using System.Text.Json;

namespace FedKSeed.LanguageModels.Architectures;

/// <summary>Reads config.json of a model folder. Faults are collected; <see cref="ThrowIfFaulty"/> names all of them at once.</summary>
internal sealed class ModelConfig
{
    public const string FileName = "config.json";

    // Above any width or vocabulary there is, and low enough for the product of two to be a size.
    private const int MaxInteger = 1 << 24;

    private readonly string _name;
    private readonly JsonElement _json;
    private readonly List<string> _faults;

    private ModelConfig(string name, JsonElement json, List<string> faults) => (_name, _json, _faults) = (name, json, faults);

    /// <exception cref="InvalidDataException">The file is missing or is no JSON object.</exception>
    public static ModelConfig Load(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            throw new InvalidDataException($"{folder} is not a model folder: {FileName} is missing.");
        try
        {
            var json = JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(path));
            return json.ValueKind == JsonValueKind.Object
                ? new ModelConfig(path, json, [])
                : throw new JsonException("it must be an object.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Whether a field is there, and not null.</summary>
    public bool Has(string field) => Find(field) is not null;

    /// <summary>Whether a field is there, and null: where the absent field has a default, that may mean something else.</summary>
    public bool IsNull(string field) => _json.TryGetProperty(field, out var value) && value.ValueKind == JsonValueKind.Null;

    /// <summary>An object within this one, whose fields are named with a dot; null where it is absent.</summary>
    public ModelConfig? Section(string field) =>
        Find(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.Object ? new ModelConfig($"{_name}: {field}", value, _faults)
        : Fault<ModelConfig?>(field, "must be an object", null);

    /// <summary>An integer from 1 to <paramref name="most"/>; without a default it must be there.</summary>
    public int Integer(string field, int? absent = null, int most = MaxInteger) =>
        Find(field) is not { } value ? absent ?? Fault(field, "is missing", 1)
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number > 0 && number <= most ? number
        : Fault(field, $"must be a positive integer, at most {most}, it is {value}", 1);

    /// <summary>A positive number; without a default it must be there.</summary>
    public double Number(string field, double? absent = null) =>
        Find(field) is not { } value ? absent ?? Fault(field, "is missing", 1.0)
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number > 0 ? number
        : Fault(field, $"must be a positive number, it is {value}", 1.0);

    public bool Flag(string field, bool absent) =>
        Find(field) is not { } value ? absent
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean()
        : Fault(field, $"must be true or false, it is {value}", absent);

    /// <summary>One of a few words.</summary>
    public string Choice(string field, string? absent, params ReadOnlySpan<string> supported)
    {
        var found = Find(field)?.ToString() ?? absent;
        return found is not null && supported.Contains(found) ? found
            : Fault(field, $"is {found ?? "missing"}; supported: {string.Join(", ", supported!)}", supported[0]);
    }

    /// <summary>A list of so many words, each one of a few; null where it is absent.</summary>
    public IReadOnlyList<string>? Choices(string field, int count, params string[] supported)
    {
        if (Find(field) is not { } value)
            return null;
        string[] found = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(word => word.ToString())] : [];
        return found.Length == count && found.All(supported.Contains) ? found
            : Fault<string[]?>(field, $"must be a list of {count}, each one of {string.Join(", ", supported)}", null);
    }

    /// <summary>Notes that a field holds what is not supported.</summary>
    public void Refuse(string field, string supported) =>
        Fault(field, $"is {Find(field)?.GetRawText() ?? "absent"}; supported: {supported}", 0);

    /// <exception cref="InvalidDataException">Some field was at fault.</exception>
    public void ThrowIfFaulty()
    {
        if (_faults.Count > 0)
            throw new InvalidDataException(string.Join(Environment.NewLine, _faults));
    }

    private JsonElement? Find(string field) =>
        _json.TryGetProperty(field, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private T Fault<T>(string field, string problem, T standIn)
    {
        _faults.Add($"{_name}: {field} {problem}.");
        return standIn;
    }
}
