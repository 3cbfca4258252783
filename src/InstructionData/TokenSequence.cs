using System.Diagnostics;
using FedKSeed.Tokenization;
using FedKSeed.Tokenization.Templates;

namespace FedKSeed.InstructionData;

/// <summary>A tokenised text and which of its tokens are to be learned.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Labels">As long as <paramref name="Ids"/>: the id where it is to be predicted, <see cref="Ignored"/> elsewhere.</param>
public sealed record TokenSequence(int[] Ids, int[] Labels)
{
    /// <summary>The label of a token that no loss is taken of.</summary>
    public const int Ignored = -100;

    /// <summary>Whether anything is to be learned: the first token has no context, so its label does not count.</summary>
    public bool HasTarget => Labels.Length > 1 && Labels.AsSpan(1).ContainsAnyExcept(Ignored);
}

/// <summary>
/// Turns examples into tokens: what is given, unlabelled, then the answer and the end token, labelled. The answers of all
/// turns of a conversation are labelled: each is an answer to what stands before it, and one pass learns them all. A
/// template's prompt and the answer are tokenised apart, so that generation sees the same prompt tokens as training; a
/// completion or a chat answer goes on in the text before it, unless that would change the tokens before it.
/// </summary>
/// <param name="Tokenizer">The model's.</param>
/// <param name="Template">How an instruction is put to the model.</param>
/// <param name="MaxLength">Longest sequence, in tokens; of a longer one <see cref="WhenTooLong"/> says what becomes.</param>
public sealed record ExampleEncoder(Tokenizer Tokenizer, PromptTemplate Template, int MaxLength)
{
    /// <summary>What becomes of an example that is too long.</summary>
    public LongExamples WhenTooLong { get; init; }

    /// <summary>
    /// The form that conversations are written in; null where the model's own template writes them, or nothing does: they are refused.
    /// </summary>
    public ChatForm? Chat { get; init; }

    /// <summary>The model's own template; null where it has none, or a form was named instead.</summary>
    internal TemplateEncoder? Own { get; init; }

    /// <summary>Whether there is something that writes conversations.</summary>
    public bool TakesConversations => Chat is not null || Own is not null;

    /// <summary>Every token that ends an answer.</summary>
    public IReadOnlyCollection<int> Ends => (Own is not null ? Own.TurnEnd
        : Chat is { } form ? TurnEnd(ChatForms.EndOfTurn(form))
        : null) is { } end
        ? [.. Tokenizer.Special.Ends.Append(end).Distinct()]
        : Tokenizer.Special.Ends;

    /// <summary>
    /// An encoder that writes conversations in the form that is named, else by the template in the model's folder, else in the form whose
    /// tokens its tokenizer has.
    /// </summary>
    /// <exception cref="InvalidDataException">tokenizer_config.json is broken.</exception>
    public static ExampleEncoder Load(string folder, Tokenizer tokenizer, PromptTemplate template, int maxLength, ChatForm? chat = null)
    {
        var own = chat is null ? ModelChatTemplates.Of(folder) : null;
        return new ExampleEncoder(tokenizer, template, maxLength)
        {
            Chat = own is null ? chat ?? ChatForms.Detect(tokenizer) : null,
            Own = own is null ? null : new TemplateEncoder(tokenizer, own),
        };
    }

    /// <summary>The tokens before the answer; of a conversation, those before its last answer.</summary>
    /// <param name="example">Whose answer is not looked at.</param>
    /// <param name="limit">So many tokens at most.</param>
    /// <exception cref="InvalidDataException">The example is a conversation that cannot be written for this model.</exception>
    public int[] Prompt(Example example, int limit = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(example);
        if (example is ChatExample chat && Own is not null)
            return Own.Prompt(chat, limit);
        Exchange[] exchanges = [.. Exchanges(example)];
        List<int> ids = [];
        foreach (var exchange in exchanges.SkipLast(1))
            ids.AddRange([.. Given(exchange, limit), .. Learned(exchange, limit)]);
        int[] prompt = [.. ids, .. Given(exchanges[^1], limit)];
        return prompt.Length > limit ? prompt[..limit] : prompt;
    }

    /// <summary>All examples that still have something to learn once cut to <see cref="MaxLength"/>.</summary>
    /// <exception cref="InvalidDataException">
    /// An example is a conversation that cannot be written for this model; the message says which and why.
    /// </exception>
    public EncodedExamples Encode(IEnumerable<Example> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        List<TokenSequence> sequences = [];
        int tooLong = 0, inputCut = 0, answerCut = 0, dropped = 0;
        foreach (var (number, example) in examples.Index())
        {
            var whole = Encode(number + 1, example);
            var isTooLong = whole.Ids.Length > MaxLength;
            var shorter = isTooLong && WhenTooLong == LongExamples.CutInput ? ShorterExample.Of(example, Fits) : null;
            var cut = !isTooLong ? whole : shorter is not null ? Encode(shorter) : Beginning(whole);
            tooLong += isTooLong ? 1 : 0;
            if (!cut.HasTarget || (isTooLong && WhenTooLong == LongExamples.Drop))
            {
                dropped++;
                continue;
            }
            sequences.Add(cut);
            inputCut += shorter is not null ? 1 : 0;
            answerCut += isTooLong && shorter is null ? 1 : 0;
        }
        return new EncodedExamples(sequences, tooLong, dropped) { InputCut = inputCut, AnswerCut = answerCut };
    }

    private bool Fits(Example example) => example is ChatExample chat && Own is not null
        ? Own.Fits(chat, MaxLength)
        : Encode(example).Ids.Length <= MaxLength;

    private TokenSequence Beginning(TokenSequence whole) => new(whole.Ids[..MaxLength], whole.Labels[..MaxLength]);

    private TokenSequence Encode(int number, Example example)
    {
        try
        {
            return Encode(example);
        }
        catch (InvalidDataException e) when (example is ChatExample)
        {
            throw new InvalidDataException($"example {number}: {e.Message}", e);
        }
    }

    /// <summary>Of a text that is too long, no more than tells so.</summary>
    private TokenSequence Encode(Example example)
    {
        if (example is ChatExample chat && Own is not null)
            return Own.Encode(chat, MaxLength);
        List<int> ids = [], labels = [];
        foreach (var exchange in Exchanges(example))
        {
            var room = MaxLength + 1 - ids.Count;
            if (room <= 0)
                break;
            int[] given = Given(exchange, room), learned = Learned(exchange, room);
            ids.AddRange([.. given, .. learned]);
            labels.AddRange([.. Enumerable.Repeat(TokenSequence.Ignored, given.Length), .. learned]);
        }
        return new TokenSequence([.. ids], [.. labels]);
    }

    private IEnumerable<Exchange> Exchanges(Example example) => example switch
    {
        InstructionExample instruction =>
            [new Exchange(Template.Prompt(instruction), example.Output, Begins: true, EndOfTurn: null, Continues: false)],
        CompletionExample completion =>
            [new Exchange(completion.Prompt, example.Output, Begins: true, EndOfTurn: null, Continues: true)],
        ChatExample chat => ChatForms.Exchanges(
            Chat ?? throw new InvalidDataException(
                $"the model has no chat template and names no known chat form; name one of {string.Join(", ", ChatForms.All)}."), chat),
        _ => throw new UnreachableException(example.GetType().Name),
    };

    private int[] Given(Exchange exchange, int limit)
    {
        var ids = Tokenizer.Encode(exchange.Prompt, limit);
        return exchange.Begins && Tokenizer.Special.Beginning is { } beginning ? [beginning, .. ids] : ids;
    }

    private int[] Learned(Exchange exchange, int limit)
    {
        var answer = exchange.Continues
            ? Continuation(exchange.Prompt, exchange.Answer, limit)
            : Tokenizer.Encode(exchange.Answer, limit);
        return TurnEnd(exchange.EndOfTurn) is { } end ? [.. answer, end] : answer;
    }

    private int[] Continuation(string before, string text, int limit)
    {
        int[] given = Tokenizer.Encode(before, limit), whole = Tokenizer.Encode(before + text, limit);
        return given.Length == limit ? []
            : whole.AsSpan().StartsWith(given) ? whole[given.Length..]
            : Tokenizer.Encode(text, limit);
    }

    private int? TurnEnd(string? endOfTurn) =>
        (endOfTurn is null ? null : ChatForms.Token(Tokenizer, endOfTurn)) ?? Tokenizer.Special.End;
}

/// <summary>Examples in tokens.</summary>
/// <param name="Sequences">Those that can be learned from, in order.</param>
/// <param name="Truncated">How many were longer than the limit.</param>
/// <param name="Dropped">How many were left out: nothing to learn was left of them, or they were to be dropped.</param>
public sealed record EncodedExamples(IReadOnlyList<TokenSequence> Sequences, int Truncated, int Dropped)
{
    /// <summary>How many fit when part of what is given was cut off; their answers are whole.</summary>
    public int InputCut { get; init; }

    /// <summary>How many lost the end of their answer.</summary>
    public int AnswerCut { get; init; }
}
