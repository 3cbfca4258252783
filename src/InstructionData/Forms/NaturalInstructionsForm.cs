using System.Text.Json;
using FedKSeed.InstructionData.Sources;

namespace FedKSeed.InstructionData.Forms;

/// <summary>
/// Natural Instructions: a definition, an input and the answers that are right. A task file, one definition and many instances, gives a
/// record for each, with the field names under which the instances are also passed around one by one, so that a part of a task can be
/// written as lines.
/// </summary>
internal sealed class NaturalInstructionsForm : IDataForm
{
    /// <summary>The field that says which task an instance is of.</summary>
    public const string TaskField = "task_name";

    public string Name => "natural-instructions";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["definition", "inputs", "targets"]];

    public IReadOnlyList<string> Optional => [];

    public Example Read(RecordFields record)
    {
        var targets = record.Texts("targets");
        return new InstructionExample(record.Text("definition"), record.Text("inputs"), targets[0]) { Alternatives = [.. targets.Skip(1)] };
    }

    public IEnumerable<RawRecord>? Unfold(RawRecord document, string path)
    {
        if (document.Json.ValueKind != JsonValueKind.Object || !document.Json.TryGetProperty("Definition", out _)
            || !document.Json.TryGetProperty("Instances", out var instances))
            return null;
        RecordFields task = new(document.Json);
        string definition;
        try
        {
            definition = string.Join("\n", task.Texts("Definition"));
            if (instances.ValueKind != JsonValueKind.Array)
                throw new FormatException($"\"Instances\" must be a list, it is {instances.ValueKind}.");
        }
        catch (FormatException e)
        {
            return [document with { Fault = e.Message }];
        }
        var name = DataFile.NameOf(path);
        return instances.EnumerateArray().Select((instance, i) => Record($"{document.Place}: Instances[{i}]", name, definition, instance));
    }

    private static RawRecord Record(string place, string task, string definition, JsonElement instance)
    {
        try
        {
            if (instance.ValueKind != JsonValueKind.Object)
                throw new FormatException($"an instance must be an object, this one is {instance.ValueKind}.");
            RecordFields fields = new(instance);
            Dictionary<string, object?> record = new()
            {
                [TaskField] = task,
                ["id"] = fields.OptionalText("id"),
                ["definition"] = definition,
                ["inputs"] = fields.Text("input"),
                ["targets"] = fields.Texts("output"),
            };
            return new RawRecord(place, JsonSerializer.SerializeToElement(record));
        }
        catch (FormatException e)
        {
            return new RawRecord(place, default, e.Message);
        }
    }
}
