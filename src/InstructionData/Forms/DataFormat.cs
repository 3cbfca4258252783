using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>The forms that instruction data comes in: which fields a record has.</summary>
public enum DataFormat
{
    /// <summary>instruction, output and, optionally, input.</summary>
    Alpaca,

    /// <summary>instruction, response and, optionally, context.</summary>
    Dolly,

    /// <summary>prompt, completion.</summary>
    Completion,

    /// <summary>messages of role and content, or conversations of from and value.</summary>
    Messages,

    /// <summary>
    /// A task file (Definition, Instances of input and output), or its instances one by one: definition, inputs, targets.
    /// </summary>
    NaturalInstructions,
}

/// <summary>Names of the forms, and how to tell them apart.</summary>
public static class DataFormats
{
    private static readonly Form[] Forms =
    [
        new("alpaca", DataFormat.Alpaca, [["instruction", "output"]]),
        new("dolly", DataFormat.Dolly, [["instruction", "response"]]),
        new("completion", DataFormat.Completion, [["prompt", "completion"]]),
        new("messages", DataFormat.Messages, [["messages"], ["conversations"]]),
        new("natural-instructions", DataFormat.NaturalInstructions, [["definition", "inputs", "targets"]]),
    ];

    /// <summary>What to write on a command line.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Forms.Select(form => form.Name)];

    public static DataFormat? Parse(string name) => Array.Find(Forms, form => form.Name == name)?.Format;

    public static string Name(DataFormat format) => Array.Find(Forms, form => form.Format == format)!.Name;

    /// <summary>The form that most of the records have, the first of them in a tie; null where none has any.</summary>
    internal static DataFormat? Detect(IEnumerable<JsonElement> records)
    {
        JsonElement[] objects = [.. records.Where(record => record.ValueKind == JsonValueKind.Object)];
        (Form Form, int Count) best = Forms
            .Select(
                form => (form, objects.Count(
                    record => form.Fields.Any(fields => fields.All(field => record.TryGetProperty(field, out _))))))
            .MaxBy(pair => pair.Item2);
        return best.Count > 0 ? best.Form.Format : null;
    }

    /// <summary>For a message: every form with the fields it needs.</summary>
    internal static string Describe() =>
        string.Join(
            "; ", Forms.Select(form => $"{form.Name} ({string.Join(" or ", form.Fields.Select(fields => string.Join(", ", fields)))})"));

    private sealed record Form(string Name, DataFormat Format, string[][] Fields);
}
