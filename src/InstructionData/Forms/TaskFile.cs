using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>
/// A task of Natural Instructions: one definition and many instances. Each becomes a record of its own, with the field
/// names under which the instances are also passed around one by one, so that a part of a task can be written as lines.
/// </summary>
internal static class TaskFile
{
    /// <summary>The field that says which task an instance is of.</summary>
    public const string TaskField = "task_name";

    public static bool Is(JsonElement json) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty("Definition", out _) && json.TryGetProperty("Instances", out _);

    public static IEnumerable<RawRecord> Instances(RawRecord task, string path)
    {
        string definition;
        var instances = task.Json.GetProperty("Instances");
        try
        {
            definition = string.Join("\n", RecordParser.Texts(task.Json, "Definition"));
            if (instances.ValueKind != JsonValueKind.Array)
                throw new FormatException($"\"Instances\" must be a list, it is {instances.ValueKind}.");
        }
        catch (FormatException e)
        {
            return [task with { Fault = e.Message }];
        }
        var name = Path.GetFileNameWithoutExtension(path);
        return instances.EnumerateArray().Select((instance, i) => Record($"{task.Place}: Instances[{i}]", name, definition, instance));
    }

    private static RawRecord Record(string place, string task, string definition, JsonElement instance)
    {
        try
        {
            if (instance.ValueKind != JsonValueKind.Object)
                throw new FormatException($"an instance must be an object, this one is {instance.ValueKind}.");
            Dictionary<string, object?> record = new()
            {
                [TaskField] = task,
                ["id"] = RecordParser.OptionalText(instance, "id"),
                ["definition"] = definition,
                ["inputs"] = RecordParser.Text(instance, "input"),
                ["targets"] = RecordParser.Texts(instance, "output"),
            };
            return new RawRecord(place, JsonSerializer.SerializeToElement(record));
        }
        catch (FormatException e)
        {
            return new RawRecord(place, default, e.Message);
        }
    }
}
