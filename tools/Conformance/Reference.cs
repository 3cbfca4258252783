using System.Text.Json;
using System.Text.Json.Serialization;

namespace FedKSeed.Conformance;

/// <summary>A text to encode and decode, or ids to decode.</summary>
/// <param name="Text">The text; null where ids are given.</param>
/// <param name="Ids">The ids; null where a text is given.</param>
/// <param name="Time">How often to encode it to see how long that takes.</param>
internal sealed record ReferenceTask(string? Text, int[]? Ids = null, int Time = 0);

/// <summary>What the reference makes of it.</summary>
/// <param name="Ids">Without special tokens around the text.</param>
/// <param name="All">Decoded, special tokens included.</param>
/// <param name="Plain">Decoded without special tokens.</param>
/// <param name="Cpu">The shortest time of encoding, in seconds of all processors; null where none was asked for.</param>
internal sealed record ReferenceResult(int[] Ids, string All, string Plain, double? Cpu);

/// <summary>Hugging Face's tokenizers, in node.</summary>
internal static class Reference
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static ReferenceResult[] Ask(Packages packages, string tokenizerFolder, IEnumerable<ReferenceTask> tasks)
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-conformance-");
        try
        {
            string questions = Path.Combine(folder.FullName, "tasks.jsonl"), answers = Path.Combine(folder.FullName, "results.jsonl");
            File.WriteAllLines(questions, tasks.Select(task => JsonSerializer.Serialize(task, Json)));
            var script = Path.Combine(AppContext.BaseDirectory, "reference.cjs");
            // A word of ten million letters has as many ids, each a number and an object in node.
            Packages.Run(
                "node",
                ["--max-old-space-size=8192", script, packages.Modules, Path.Combine(tokenizerFolder, "tokenizer.json"), questions,
                    answers]);
            return [.. File.ReadLines(answers).Select(line => JsonSerializer.Deserialize<ReferenceResult>(line, Json)!)];
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
