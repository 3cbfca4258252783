using System.Text.Encodings.Web;
using System.Text.Json;
using FedKSeed.Tokenization.Templates;

namespace FedKSeed.InstructionData;

/// <summary>
/// How a model is asked: it travels with the model, in a file beside its weights that a run writes, so that whoever evaluates it, talks to
/// it or tunes it further asks in the same way. The file is a prompt template, and may name a chat form; without
/// one, the model's own chat template writes conversations.
/// </summary>
/// <param name="Template">For instructions.</param>
/// <param name="Chat">For conversations; null for the model's own template, or the form that its tokenizer names.</param>
public sealed record ModelPrompt(PromptTemplate Template, ChatForm? Chat)
{
    /// <summary>
    /// Whether a person's line is a question of a conversation, and not an instruction for the template: a model that was tuned on
    /// conversations, or one that brings a chat template and no other prompt, is asked so.
    /// </summary>
    public bool IsConversation { get; init; }

    /// <summary>In a model's folder.</summary>
    public const string FileName = "prompt_template.json";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>What is named, else what lies in the model's folder, else Alpaca's template and the model's own chat template.</summary>
    /// <param name="promptFile">Null where none is named.</param>
    /// <param name="chat">Likewise.</param>
    /// <exception cref="InvalidDataException">A file is no prompt template.</exception>
    public static ModelPrompt Of(string modelFolder, string? promptFile = null, ChatForm? chat = null)
    {
        var file = Path.Combine(modelFolder, FileName);
        var own = File.Exists(file) ? Read(file) : null;
        return new ModelPrompt(
            promptFile is not null ? PromptTemplate.Load(promptFile)
                : own is not null ? PromptTemplate.Load(file)
                : PromptTemplate.Alpaca,
            chat ?? (own?.ChatForm is { } name ? ChatIn(file, name) : null))
        {
            IsConversation = promptFile is null
                && (own is null ? chat is null && ChatTemplateFiles.Names(modelFolder).Count > 0 : own.Conversation ?? false),
        };
    }

    /// <summary>Puts it beside the weights.</summary>
    public void Write(string modelFolder)
    {
        Content content = new(
            Template.WithInput, Template.WithoutInput, Chat is { } form ? ChatForms.Name(form) : null, IsConversation ? true : null);
        File.WriteAllText(Path.Combine(modelFolder, FileName), JsonSerializer.Serialize(content, Json) + "\n");
    }

    private static ChatForm ChatIn(string path, string name) => ChatForms.Parse(name)
        ?? throw new InvalidDataException($"{path}: chatForm is {name}; there are {string.Join(", ", ChatForms.All)}.");

    private static Content? Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<Content>(File.ReadAllBytes(path), Json);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private sealed record Content(string? WithInput, string? WithoutInput, string? ChatForm, bool? Conversation);
}
