using System.Text.Json;

namespace FedKSeed.InstructionData.Forms;

/// <summary>
/// Conversations: a list of messages, each of role and content or, as ShareGPT has them, of from and value; under the name messages or
/// conversations. Contents are texts, or lists of parts that are.
/// </summary>
internal sealed class MessagesForm : IDataForm
{
    private static readonly Dictionary<string, ChatRole> Roles = new(StringComparer.Ordinal)
    {
        ["system"] = ChatRole.System,
        ["user"] = ChatRole.User,
        ["human"] = ChatRole.User,
        ["assistant"] = ChatRole.Assistant,
        ["gpt"] = ChatRole.Assistant,
        ["tool"] = ChatRole.Tool,
        ["observation"] = ChatRole.Tool,
    };

    public string Name => "messages";

    public IReadOnlyList<IReadOnlyList<string>> Needed => [["messages"], ["conversations"]];

    public IReadOnlyList<string> Optional => ["system", "tools"];

    public Example Read(RecordFields record) =>
        ChatExample.Of(WithSystem(
            record.System(), Messages(record, record.Has("messages") || !record.Has("conversations") ? "messages" : "conversations"))) with
        {
            Tools = Tools(record),
        };

    /// <summary>What the assistant may call: a list, or a text that holds one as JSON; null for none.</summary>
    internal static JsonElement? Tools(RecordFields record)
    {
        var tools = record.Has("tools") ? record.Structured("tools") : default;
        return tools.ValueKind switch
        {
            JsonValueKind.Undefined or JsonValueKind.Null => null,
            JsonValueKind.String when string.IsNullOrWhiteSpace(tools.GetString()) => null,
            JsonValueKind.Array => tools.GetArrayLength() == 0 ? null : tools,
            _ => throw new FormatException($"\"tools\" must be a list, it is {tools.ValueKind}."),
        };
    }

    /// <summary>The messages of a field.</summary>
    /// <exception cref="FormatException">They are none; the message says which.</exception>
    internal static IReadOnlyList<ChatMessage> Messages(RecordFields record, string field) => [.. record.List(field).Select((message, i) =>
    {
        if (message.ValueKind != JsonValueKind.Object)
            throw new FormatException($"message {i + 1} must be an object, it is {message.ValueKind}.");
        try
        {
            return Message(new RecordFields(message));
        }
        catch (FormatException e)
        {
            throw new FormatException($"message {i + 1}: {e.Message}", e);
        }
    })];

    /// <summary>With what a record says to the assistant beside its messages, which is the first of them.</summary>
    /// <exception cref="FormatException">The messages begin with something else of that kind.</exception>
    internal static IReadOnlyList<ChatMessage> WithSystem(string? system, IReadOnlyList<ChatMessage> messages) =>
        system is null ? messages
        : messages is not [{ Role: ChatRole.System } first, ..] ? [new ChatMessage(ChatRole.System, system), .. messages]
        : first.Content == system ? messages
        : throw new FormatException("\"system\" and the first message, which is the system's too, say different things.");

    private static ChatMessage Message(RecordFields message)
    {
        (var role, var content) = message.Has("role") || !message.Has("from") ? ("role", "content") : ("from", "value");
        var name = message.Text(role);
        return Roles.TryGetValue(name, out var known)
            ? new ChatMessage(known, Calls(message, content) ? null : Content(message, content))
            {
                Fields = message.Others(role, content),
            }
            : throw new FormatException($"\"{role}\" is {name}; known are {string.Join(", ", Roles.Keys)}.");
    }

    // Whether it only calls functions.
    private static bool Calls(RecordFields message, string content) =>
        message.Has("tool_calls") && message.Value("tool_calls").ValueKind == JsonValueKind.Array
        && (!message.Has(content) || message.Value(content).ValueKind == JsonValueKind.Null);

    private static string Content(RecordFields message, string field) =>
        message.Has(field) && message.Value(field) is { ValueKind: JsonValueKind.Array } parts
        ? string.Concat(parts.EnumerateArray().Select((part, i) => Part(part, i + 1)))
        : message.Text(field);

    private static string Part(JsonElement part, int number)
    {
        if (part.ValueKind == JsonValueKind.String)
            return part.GetString()!;
        RecordFields fields = new(part);
        fields.RequireObject();
        return fields.Has("text") ? fields.Text("text")
            : throw new FormatException(
                $"part {number} of the content is of type {(fields.Has("type") ? fields.Value("type").ToString() : "(none)")}: "
                    + "only text can be learned.");
    }
}
