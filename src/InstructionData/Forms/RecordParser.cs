using System.Diagnostics;
using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>A record of each form as an example. What is wrong with one is a FormatException that names the field.</summary>
internal static class RecordParser
{
    private static readonly Dictionary<string, ChatRole> Roles = new(StringComparer.Ordinal)
    {
        ["system"] = ChatRole.System,
        ["user"] = ChatRole.User,
        ["human"] = ChatRole.User,
        ["assistant"] = ChatRole.Assistant,
        ["gpt"] = ChatRole.Assistant,
    };

    public static Example Parse(DataFormat format, JsonElement record)
    {
        if (record.ValueKind != JsonValueKind.Object)
            throw new FormatException($"a line must be an object, this one is {record.ValueKind}.");
        return format switch
        {
            DataFormat.Alpaca => new InstructionExample(Text(record, "instruction"), OptionalText(record, "input"), Text(record, "output")),
            DataFormat.Dolly => new InstructionExample(
                Text(record, "instruction"), OptionalText(record, "context"), Text(record, "response")),
            DataFormat.Completion => new CompletionExample(Text(record, "prompt"), Text(record, "completion")),
            DataFormat.Messages => ChatExample.Of(Messages(record)),
            DataFormat.NaturalInstructions => Instance(record),
            _ => throw new UnreachableException(format.ToString()),
        };
    }

    /// <summary>A string, or the only way to have none: a field that is absent or null.</summary>
    public static string? OptionalText(JsonElement record, string field) =>
        record.TryGetProperty(field, out var value) && value.ValueKind != JsonValueKind.Null ? Text(record, field) : null;

    public static string Text(JsonElement record, string field)
    {
        var value = Value(record, field);
        return value.ValueKind == JsonValueKind.String ? value.GetString()!
            : throw new FormatException($"\"{field}\" must be a string, it is {value.ValueKind}.");
    }

    /// <summary>One string or a list of at least one.</summary>
    public static string[] Texts(JsonElement record, string field)
    {
        var value = Value(record, field);
        if (value.ValueKind == JsonValueKind.String)
            return [value.GetString()!];
        JsonElement[] items = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [];
        return items.Length > 0 && items.All(item => item.ValueKind == JsonValueKind.String)
            ? [.. items.Select(item => item.GetString()!)]
            : throw new FormatException($"\"{field}\" must be a string or a list of strings.");
    }

    public static JsonElement Value(JsonElement record, string field) =>
        record.TryGetProperty(field, out var value) ? value : throw new FormatException($"\"{field}\" is missing.");

    private static InstructionExample Instance(JsonElement record)
    {
        var targets = Texts(record, "targets");
        return new InstructionExample(Text(record, "definition"), Text(record, "inputs"), targets[0]) { Alternatives = targets[1..] };
    }

    private static ChatMessage[] Messages(JsonElement record)
    {
        (var list, var role, var content) = record.TryGetProperty("messages", out _)
            ? ("messages", "role", "content")
            : ("conversations", "from", "value");
        var messages = record.TryGetProperty(list, out var value) ? value : throw new FormatException("\"messages\" is missing.");
        if (messages.ValueKind != JsonValueKind.Array)
            throw new FormatException($"\"{list}\" must be a list, it is {messages.ValueKind}.");
        return [.. messages.EnumerateArray().Select((message, i) =>
        {
            if (message.ValueKind != JsonValueKind.Object)
                throw new FormatException($"message {i + 1} must be an object, it is {message.ValueKind}.");
            try
            {
                var name = Text(message, role);
                return Roles.TryGetValue(name, out var known) ? new ChatMessage(known, Text(message, content))
                    : throw new FormatException($"\"{role}\" is {name}; known are {string.Join(", ", Roles.Keys)}.");
            }
            catch (FormatException e)
            {
                throw new FormatException($"message {i + 1}: {e.Message}", e);
            }
        })];
    }
}
