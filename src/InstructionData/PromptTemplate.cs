using System.Text.Json;
using System.Text.RegularExpressions;

namespace FedKSeed.InstructionData;

/// <summary>
/// How an example becomes the text before its answer; <c>{instruction}</c>, <c>{input}</c> and <c>{system}</c> are filled in. What the
/// model is told beforehand stands before a template that has no place for it, with an empty line between.
/// </summary>
/// <param name="WithInput">Used where the example has an input.</param>
/// <param name="WithoutInput">Used where it has none.</param>
public sealed partial record PromptTemplate(string WithInput, string WithoutInput)
{
    private const string InstructionField = "{instruction}", InputField = "{input}", SystemField = "{system}";
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        RespectRequiredConstructorParameters = true,
        RespectNullableAnnotations = true,
    };

    /// <summary>The template of Stanford Alpaca, which the paper uses.</summary>
    public static PromptTemplate Alpaca { get; } = new(
        "Below is an instruction that describes a task, paired with an input that provides further context. "
            + "Write a response that appropriately completes the request.\n\n"
            + "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:",
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
            + "### Instruction:\n{instruction}\n\n### Response:");

    /// <summary>Reads <c>{"withInput": "…", "withoutInput": "…"}</c>.</summary>
    /// <exception cref="InvalidDataException">The file is not such an object, or a template leaves out what it is to hold.</exception>
    public static PromptTemplate Load(string path)
    {
        try
        {
            var template = JsonSerializer.Deserialize<PromptTemplate>(File.ReadAllBytes(path), Json)
                ?? throw new JsonException("it is null.");
            string[] faults = [.. template.Faults()];
            return faults.Length == 0 ? template : throw new JsonException(string.Join(" ", faults));
        }
        catch (JsonException e)
        {
            // A fault that a reader of JSON found has a line; ours are words already.
            throw new InvalidDataException(
                e.LineNumber is { } line
                    ? $"{path}: line {line + 1}: it is no prompt template, {{\"withInput\": \"…\", \"withoutInput\": \"…\"}}."
                    : $"{path}: {e.Message}",
                e);
        }
    }

    /// <summary>Everything before the answer.</summary>
    public string Prompt(InstructionExample example)
    {
        ArgumentNullException.ThrowIfNull(example);
        var template = string.IsNullOrEmpty(example.Input) ? WithoutInput : WithInput;
        var prompt = Field().Replace(template, match => match.Value switch
        {
            InstructionField => example.Instruction,
            InputField => example.Input ?? "",
            _ => example.System ?? "",
        });
        return string.IsNullOrEmpty(example.System) || template.Contains(SystemField, StringComparison.Ordinal)
            ? prompt
            : $"{example.System}\n\n{prompt}";
    }

    // In one pass: an instruction that says "{input}" keeps it.
    [GeneratedRegex(@"\{(?:instruction|input|system)\}")]
    private static partial Regex Field();

    private IEnumerable<string> Faults()
    {
        if (WithInput.Split(InstructionField).Length != 2)
            yield return $"withInput must hold {InstructionField} once.";
        if (!WithInput.Contains(InputField, StringComparison.Ordinal))
            yield return $"withInput must hold {InputField}.";
        if (!WithoutInput.Contains(InstructionField, StringComparison.Ordinal))
            yield return $"withoutInput must hold {InstructionField}.";
    }
}
