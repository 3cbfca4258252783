using System.Text.Json;

namespace FedKSeed.LanguageModels;

/// <summary>One instruction and the answer wanted.</summary>
/// <param name="Instruction">What to do.</param>
/// <param name="Input">What to do it with; null or empty where the instruction says everything.</param>
/// <param name="Output">The wanted answer.</param>
public sealed record InstructionExample(string Instruction, string? Input, string Output)
{
    /// <summary>As many broken lines are reported at once.</summary>
    private const int MaxReportedLines = 10;

    /// <summary>
    /// Reads a JSONL file: one object a line with "instruction", "output" and, optionally, "input", all strings. Other
    /// fields are left alone; empty lines are skipped.
    /// </summary>
    /// <exception cref="InvalidDataException">Lines are broken: the message has file, line and reason of the first ten.</exception>
    public static IReadOnlyList<InstructionExample> Load(string path)
    {
        List<InstructionExample> examples = [];
        List<string> broken = [];
        int number = 0;
        foreach (string line in File.ReadLines(path))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                examples.Add(Parse(line));
            }
            catch (Exception e) when (e is JsonException or FormatException)
            {
                broken.Add($"{path}:{number}: {e.Message}");
                if (broken.Count == MaxReportedLines)
                    break;
            }
        }
        if (broken.Count > 0)
            throw new InvalidDataException(string.Join(Environment.NewLine, broken));
        return examples.Count > 0 ? examples : throw new InvalidDataException($"{path}: there is no example in it.");
    }

    private static InstructionExample Parse(string line)
    {
        JsonElement json = JsonSerializer.Deserialize<JsonElement>(line);
        if (json.ValueKind != JsonValueKind.Object)
            throw new FormatException($"a line must be an object, this one is {json.ValueKind}.");
        string? input = json.TryGetProperty("input", out _) ? Text(json, "input") : null;
        return new InstructionExample(Text(json, "instruction"), input, Text(json, "output"));
    }

    private static string Text(JsonElement json, string field)
    {
        if (!json.TryGetProperty(field, out JsonElement value))
            throw new FormatException($"\"{field}\" is missing.");
        return value.ValueKind == JsonValueKind.String ? value.GetString()!
            : throw new FormatException($"\"{field}\" must be a string, it is {value.ValueKind}.");
    }
}
