using System.Text.Json;

namespace FedKSeed.SampleModel;

/// <summary>
/// How an example becomes tokens: `&lt;s&gt; instruction : input = output&lt;/s&gt;`, every word with the space before it.
/// </summary>
internal static class Prompt
{
    private const string WithInput = "{instruction} : {input} =", WithoutInput = "{instruction} =";

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true };

    public static void WriteTemplate(string path) =>
        File.WriteAllText(path, JsonSerializer.Serialize(new { withInput = WithInput, withoutInput = WithoutInput }, Readable) + "\n");

    public static string Of(Example example) => WithInput
        .Replace("{instruction}",
            example.Instruction, StringComparison.Ordinal).Replace("{input}", example.Input, StringComparison.Ordinal);

    /// <summary>Only the answer and the end token are to be learnt.</summary>
    public static Sequence Encode(Example example, SampleTokenizer tokenizer)
    {
        var prompt = tokenizer.Encode(Of(example));
        return new Sequence(
            [SampleTokenizer.BeginningId, .. prompt, .. tokenizer.Encode(example.Output), SampleTokenizer.EndId], prompt.Length + 1);
    }

    /// <summary>All of a line of running text is to be learnt.</summary>
    public static Sequence Encode(string sentence, SampleTokenizer tokenizer) =>
        new([SampleTokenizer.BeginningId, .. tokenizer.Encode(sentence), SampleTokenizer.EndId], 1);
}
