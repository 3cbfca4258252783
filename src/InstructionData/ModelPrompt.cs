using System.Text.Encodings.Web;
using System.Text.Json;

namespace FedKSeed.InstructionData;

/// <summary>
/// How a model is asked: it travels with the model, in a file beside its weights that a run writes, so that whoever evaluates it, talks to
/// it or tunes it further asks in the same way. The file is a prompt template, and may name a chat form.
/// </summary>
/// <param name="Template">For instructions.</param>
/// <param name="Chat">For conversations; null for the form that the model's other files name.</param>
public sealed record ModelPrompt(PromptTemplate Template, ChatForm? Chat)
{
    /// <summary>In a model's folder.</summary>
    public const string FileName = "prompt_template.json";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>What is named, else what lies in the model's folder, else Alpaca's template and the model's own form.</summary>
    /// <param name="promptFile">Null where none is named.</param>
    /// <param name="chat">Likewise.</param>
    /// <exception cref="InvalidDataException">A file is no prompt template.</exception>
    public static ModelPrompt Of(string modelFolder, string? promptFile = null, ChatForm? chat = null)
    {
        var own = Path.Combine(modelFolder, FileName);
        var hasOwn = File.Exists(own);
        return new ModelPrompt(
            promptFile is not null ? PromptTemplate.Load(promptFile) : hasOwn ? PromptTemplate.Load(own) : PromptTemplate.Alpaca,
            chat ?? (hasOwn ? ChatIn(own) : null));
    }

    /// <summary>Puts it beside the weights.</summary>
    public void Write(string modelFolder)
    {
        Content content = new(Template.WithInput, Template.WithoutInput, Chat is { } form ? ChatForms.Name(form) : null);
        File.WriteAllText(Path.Combine(modelFolder, FileName), JsonSerializer.Serialize(content, Json) + "\n");
    }

    private static ChatForm? ChatIn(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<Content>(File.ReadAllBytes(path), Json)?.ChatForm is not { } name ? null
                : ChatForms.Parse(name)
                ?? throw new InvalidDataException($"{path}: chatForm is {name}; there are {string.Join(", ", ChatForms.All)}.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path}: {e.Message}", e);
        }
    }

    private sealed record Content(string? WithInput, string? WithoutInput, string? ChatForm);
}
