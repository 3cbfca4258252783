using System.Text.Json;

namespace FedKSeed.InstructionData;

/// <summary>How an example becomes the text before its answer; <c>{instruction}</c> and <c>{input}</c> are filled in.</summary>
/// <param name="WithInput">Used where the example has an input.</param>
/// <param name="WithoutInput">Used where it has none.</param>
public sealed record PromptTemplate(string WithInput, string WithoutInput)
{
    private const string InstructionField = "{instruction}", InputField = "{input}";
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
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>Everything before the answer.</summary>
    public string Prompt(InstructionExample example)
    {
        ArgumentNullException.ThrowIfNull(example);
        return string.IsNullOrEmpty(example.Input)
            ? WithoutInput.Replace(InstructionField, example.Instruction, StringComparison.Ordinal)
            : Fill(WithInput, example.Instruction, example.Input);
    }

    // The text around the instruction is filled in on its own: an instruction that says "{input}" keeps it.
    private static string Fill(string template, string instruction, string input)
    {
        var at = template.IndexOf(InstructionField, StringComparison.Ordinal);
        string before = template[..at], after = template[(at + InstructionField.Length)..];
        return before.Replace(InputField, input, StringComparison.Ordinal)
            + instruction
            + after.Replace(InputField, input, StringComparison.Ordinal);
    }

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
