using System.Text.Json.Nodes;

namespace FedKSeed.Tokenization.Templates;

/// <summary>
/// The chat templates of a model's folder, of which each conversation takes the one that transformers takes. They are read when first
/// they are used: a template that is broken does no harm to whoever needs none. Safe for use from several threads.
/// </summary>
public sealed class ModelChatTemplates
{
    private readonly Lazy<ChatTemplate> _default;
    private readonly Lazy<ChatTemplate>? _toolUse;

    private ModelChatTemplates(string folder, bool hasToolUse)
    {
        _default = new Lazy<ChatTemplate>(() => ChatTemplateFiles.Load(folder)!);
        _toolUse = hasToolUse ? new Lazy<ChatTemplate>(() => ChatTemplateFiles.Load(folder, ChatTemplateFiles.ToolUseName)!) : null;
    }

    /// <summary>Those of a folder; null where it has none.</summary>
    /// <exception cref="InvalidDataException">A file that would hold them is broken; the message says which.</exception>
    public static ModelChatTemplates? Of(string folder)
    {
        var names = ChatTemplateFiles.Names(folder);
        return names.Count == 0 ? null : new ModelChatTemplates(folder, names.Count > 1 && names.Contains(ChatTemplateFiles.ToolUseName));
    }

    /// <summary>The text of a conversation.</summary>
    /// <param name="messages">Objects with role, content and whatever else the template looks at.</param>
    /// <param name="addGenerationPrompt">Whether the assistant's next turn is begun.</param>
    /// <param name="tools">Descriptions of functions; null for none.</param>
    /// <exception cref="InvalidDataException">
    /// The template is broken, refuses the conversation or cannot be rendered; the message names file and line.
    /// </exception>
    public string Render(IEnumerable<JsonNode?> messages, bool addGenerationPrompt, JsonNode? tools = null) =>
        (tools is null || _toolUse is null ? _default : _toolUse).Value.Render(messages, addGenerationPrompt, tools);
}
