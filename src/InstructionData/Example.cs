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
}

public sealed record ChatMessage(ChatRole Role, string Content);

/// <summary>A question within a conversation, and its answer.</summary>
public sealed record ChatTurn(string User, string Assistant);

/// <summary>A conversation; a <see cref="ChatForm"/> makes a text of it.</summary>
/// <param name="System">What the assistant is told beforehand; null where it is told nothing.</param>
/// <param name="Turns">At least one. The answers of all of them are learned; the last one is scored.</param>
public sealed record ChatExample(string? System, IReadOnlyList<ChatTurn> Turns) : Example
{
    public override string Question => Turns[^1].User;

    public override string Output
    {
        get => Turns[^1].Assistant;
        init => Turns = [.. Turns.SkipLast(1), Turns[^1] with { Assistant = value }];
    }

    /// <exception cref="FormatException">
    /// They are not a system message, if any, and then user and assistant in turn, the assistant last.
    /// </exception>
    public static ChatExample Of(IReadOnlyList<ChatMessage> messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var first = messages is [{ Role: ChatRole.System }, ..] ? 1 : 0;
        for (var i = first; i < messages.Count; i++)
        {
            var wanted = (i - first) % 2 == 0 ? ChatRole.User : ChatRole.Assistant;
            if (messages[i].Role != wanted)
                throw new FormatException($"message {i + 1} must be the {Name(wanted)}'s, it is the {Name(messages[i].Role)}'s.");
        }
        if (messages.Count == first || (messages.Count - first) % 2 != 0)
            throw new FormatException("the last message must be the assistant's: its answers are what is learned.");
        return new ChatExample(
            first == 1 ? messages[0].Content : null,
            [.. messages.Skip(first).Chunk(2).Select(pair => new ChatTurn(pair[0].Content, pair[1].Content))]);
    }

    private static string Name(ChatRole role) => role switch
    {
        ChatRole.System => "system",
        ChatRole.User => "user",
        _ => "assistant",
    };
}
