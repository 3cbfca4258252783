using FedKSeed.Tokenization;

namespace FedKSeed.InstructionData;

/// <summary>How a conversation is written for a model that brings no template of its own, or when told so.</summary>
public enum ChatForm
{
    /// <summary>
    /// <c>&lt;|im_start|&gt;user\n…&lt;|im_end|&gt;\n&lt;|im_start|&gt;assistant\n…&lt;|im_end|&gt;</c>: Qwen and many others.
    /// </summary>
    ChatMl,

    /// <summary>
    /// <c>[INST] &lt;&lt;SYS&gt;&gt;\n…\n&lt;&lt;/SYS&gt;&gt;\n\n… [/INST] …</c>, every turn between the beginning and the end token.
    /// </summary>
    Llama2,

    /// <summary><c>&lt;|start_header_id|&gt;user&lt;|end_header_id|&gt;\n\n…&lt;|eot_id|&gt;</c>: Llama 3 and its successors.</summary>
    Llama3,
}

/// <summary>A part of an example: what is given, and what is learned behind it.</summary>
/// <param name="Begins">Whether the tokenizer's beginning token, if it has one, stands before it.</param>
/// <param name="EndOfTurn">Written behind the answer; null, or a tokenizer that has no such token: the model's end token.</param>
/// <param name="Continues">The answer goes on in the prompt's text, so that a piece of the tokenizer sees what stands before it.</param>
internal sealed record Exchange(string Prompt, string Answer, bool Begins, string? EndOfTurn, bool Continues);

/// <summary>Names of the chat forms, which one a model has, and the texts that they make.</summary>
public static class ChatForms
{
    private static readonly Dictionary<string, ChatForm> Names = new(StringComparer.Ordinal)
    {
        ["chatml"] = ChatForm.ChatMl,
        ["llama2"] = ChatForm.Llama2,
        ["llama3"] = ChatForm.Llama3,
    };

    /// <summary>What to write on a command line.</summary>
    public static IReadOnlyCollection<string> All => Names.Keys;

    public static string Name(ChatForm form) => Names.First(pair => pair.Value == form).Key;

    public static ChatForm? Parse(string name) => Names.TryGetValue(name, out var form) ? form : null;

    /// <summary>The form whose tokens a model's tokenizer has; null where that does not tell.</summary>
    public static ChatForm? Detect(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return Token(tokenizer, "<|im_start|>") is not null ? ChatForm.ChatMl
            : Token(tokenizer, "<|start_header_id|>") is not null ? ChatForm.Llama3
            : null;
    }

    /// <summary>The id of a text that the tokenizer takes for one token; null where it takes it apart.</summary>
    internal static int? Token(Tokenizer tokenizer, string text) => tokenizer.Encode(text) is [int id] ? id : null;

    /// <summary>What ends an answer in this form; null where the model's end token does.</summary>
    internal static string? EndOfTurn(ChatForm form) => form switch
    {
        ChatForm.ChatMl => "<|im_end|>",
        ChatForm.Llama3 => "<|eot_id|>",
        _ => null,
    };

    /// <exception cref="InvalidDataException">Functions are called in it, for which these forms have no place.</exception>
    internal static IEnumerable<Exchange> Exchanges(ChatForm form, ChatExample chat) => chat.CallsFunctions
        ? throw new InvalidDataException(
            $"the chat form {Name(form)} has no place for functions that are called; only a model's own chat template has.")
        : chat.Turns.Select((turn, i) => Exchange(form, chat, turn, i));

    private static Exchange Exchange(ChatForm form, ChatExample chat, ChatTurn turn, int i)
    {
        var system = i == 0 ? chat.System : null;
        return form switch
        {
            ChatForm.ChatMl => Exchange(
                form, i, (i == 0 ? "" : "\n") + ChatMl("system", system) + ChatMl("user", turn.User) + "<|im_start|>assistant\n",
                turn.Assistant),
            ChatForm.Llama3 => Exchange(
                form, i, Llama3("system", system) + Llama3("user", turn.User) + Header("assistant"), turn.Assistant.Trim()),
            _ => Exchange(form, 0, $"[INST] {Llama2System(system)}{turn.User.Trim()} [/INST]", $" {turn.Assistant.Trim()} "),
        };
    }

    private static Exchange Exchange(ChatForm form, int turn, string prompt, string answer) =>
        new(prompt, answer, Begins: turn == 0, EndOfTurn(form), Continues: true);

    private static string ChatMl(string role, string? content) => content is null ? "" : $"<|im_start|>{role}\n{content}<|im_end|>\n";

    private static string Llama3(string role, string? content) => content is null ? "" : $"{Header(role)}{content.Trim()}<|eot_id|>";

    private static string Header(string role) => $"<|start_header_id|>{role}<|end_header_id|>\n\n";

    private static string Llama2System(string? content) => content is null ? "" : $"<<SYS>>\n{content.Trim()}\n<</SYS>>\n\n";
}
