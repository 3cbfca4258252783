using System.Collections.ObjectModel;
using System.Text.Json;

namespace FedKSeed.InstructionData;

/// <summary>What is put to the model, and the answer wanted.</summary>
public abstract record Example
{
    /// <summary>The wanted answer; of a conversation, its last one.</summary>
    public abstract string Output { get; init; }

    /// <summary>Other answers that are as good. Training takes <see cref="Output"/>; scoring takes whichever is nearest.</summary>
    public IReadOnlyList<string> Alternatives { get; init; } = [];

    /// <summary>An answer that was put behind <see cref="Output"/>; null where there is none. For objectives that take both.</summary>
    public string? Rejected { get; init; }

    /// <summary>What is asked, as a person would say it in one line: no template and no chat form around it.</summary>
    public abstract string Question { get; }
}

/// <summary>One instruction and the answer wanted; a <see cref="PromptTemplate"/> makes a prompt of it.</summary>
/// <param name="Instruction">What to do.</param>
/// <param name="Input">What to do it with; null or empty where the instruction says everything.</param>
/// <param name="Output">The wanted answer.</param>
public sealed record InstructionExample(string Instruction, string? Input, string Output) : Example
{
    /// <summary>What the model is told beforehand; null where it is told nothing.</summary>
    public string? System { get; init; }

    public override string Question => string.IsNullOrEmpty(Input) ? Instruction : $"{Instruction} {Input}";
}

/// <summary>A text and how it goes on; nothing is put around either.</summary>
public sealed record CompletionExample(string Prompt, string Output) : Example
{
    public override string Question => Prompt;
}

public enum ChatRole
{
    System,
    User,
    Assistant,

    /// <summary>What a function that the assistant called gave back.</summary>
    Tool,
}

/// <param name="Role">Who says it.</param>
/// <param name="Content">The text; null where the message has none, as one that only calls functions.</param>
public sealed record ChatMessage(ChatRole Role, string? Content)
{
    /// <summary>What else the message has, as it stands in the data: a model's own template may look at it.</summary>
    public IReadOnlyDictionary<string, JsonElement> Fields { get; init; } = ReadOnlyDictionary<string, JsonElement>.Empty;
}

/// <summary>A question within a conversation, and its answer.</summary>
public sealed record ChatTurn(string User, string Assistant)
{
    /// <summary>Between the two: the assistant's calls of functions and what those gave back. Learned are the assistant's.</summary>
    public IReadOnlyList<ChatMessage> Calls { get; init; } = [];

    /// <summary>What else the answer's message has, such as a call of a function or the reasoning before it.</summary>
    public IReadOnlyDictionary<string, JsonElement> AnswerFields { get; init; } = ReadOnlyDictionary<string, JsonElement>.Empty;
}

/// <summary>A conversation; the model's own template makes a text of it, or a <see cref="ChatForm"/>.</summary>
/// <param name="System">What the assistant is told beforehand; null where it is told nothing.</param>
/// <param name="Turns">At least one. The answers of all of them are learned; the last one is scored.</param>
public sealed record ChatExample(string? System, IReadOnlyList<ChatTurn> Turns) : Example
{
    /// <summary>Descriptions of the functions that the assistant may call; null for none. Only a model's own template takes them.</summary>
    public JsonElement? Tools { get; init; }

    public override string Question => Turns[^1].User;

    public override string Output
    {
        get => Turns[^1].Assistant;
        init => Turns = [.. Turns.SkipLast(1), Turns[^1] with { Assistant = value }];
    }

    /// <summary>Whether a form that knows questions and answers alone leaves something out.</summary>
    internal bool CallsFunctions =>
        Tools is not null || Turns.Any(turn => turn.Calls.Count > 0 || turn.AnswerFields.ContainsKey("tool_calls"));

    /// <exception cref="FormatException">
    /// They are not a system message, if any, and then user and assistant in turn, the assistant last; what a function gives back stands
    /// between two messages of the assistant's.
    /// </exception>
    public static ChatExample Of(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var first = messages is [{ Role: ChatRole.System }, ..] ? 1 : 0;
        List<ChatTurn> turns = [];
        var begun = first; // where the turn's question is
        for (var i = first; i < messages.Count; i++)
        {
            var before = i == begun ? (ChatRole?)null : messages[i - 1].Role;
            var wanted = before is null ? ChatRole.User : before == ChatRole.Assistant ? ChatRole.Tool : ChatRole.Assistant;
            var role = messages[i].Role;
            if (wanted == ChatRole.Tool && role == ChatRole.User)
            {
                turns.Add(Turn(messages, begun, i));
                begun = i;
            }
            else if (role != wanted && !(role == ChatRole.Tool && before == ChatRole.Tool))
            {
                throw new FormatException(
                    $"message {i + 1} must be the {Name(wanted == ChatRole.Tool ? ChatRole.User : wanted)}'s, it is the {Name(role)}'s.");
            }
        }
        if (begun == messages.Count || messages[^1].Role != ChatRole.Assistant)
            throw new FormatException("the last message must be the assistant's: its answers are what is learned.");
        turns.Add(Turn(messages, begun, messages.Count));
        return new ChatExample(first == 1 ? messages[0].Content ?? "" : null, turns);
    }

    private static ChatTurn Turn(IReadOnlyList<ChatMessage> messages, int question, int end) =>
        new(messages[question].Content ?? "", messages[end - 1].Content ?? "")
        {
            Calls = end - question == 2 ? [] : [.. messages.Skip(question + 1).Take(end - question - 2)],
            AnswerFields = messages[end - 1].Fields,
        };

    internal static string Name(ChatRole role) => role switch
    {
        ChatRole.System => "system",
        ChatRole.User => "user",
        ChatRole.Tool => "tool",
        _ => "assistant",
    };
}
