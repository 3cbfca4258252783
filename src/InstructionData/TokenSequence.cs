using System.Diagnostics;
using FedKSeed.Tokenization;

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

    /// <summary>How conversations are written; null where the model has no form, and conversations are refused.</summary>
    public ChatForm? Chat { get; init; }

    /// <summary>Every token that ends an answer.</summary>
    public IReadOnlyCollection<int> Ends => Chat is { } form && TurnEnd(ChatForms.EndOfTurn(form)) is { } end
        ? [.. Tokenizer.Special.Ends.Append(end).Distinct()]
        : Tokenizer.Special.Ends;

    /// <summary>An encoder with the chat form of a model's folder, unless another is named.</summary>
    /// <exception cref="InvalidDataException">tokenizer_config.json is broken.</exception>
    public static ExampleEncoder Load(string folder, Tokenizer tokenizer, PromptTemplate template, int maxLength, ChatForm? chat = null) =>
        new(tokenizer, template, maxLength) { Chat = chat ?? ChatForms.Detect(folder, tokenizer) };

    /// <summary>The tokens before the answer, whole; of a conversation, those before its last answer.</summary>
    /// <exception cref="InvalidDataException">The example is a conversation and the model has no chat form.</exception>
    public int[] Prompt(Example example)
    {
        ArgumentNullException.ThrowIfNull(example);
        Exchange[] exchanges = [.. Exchanges(example)];
        List<int> ids = [];
        foreach (var exchange in exchanges.SkipLast(1))
            ids.AddRange([.. Given(exchange), .. Learned(exchange)]);
        return [.. ids, .. Given(exchanges[^1])];
    }

    /// <summary>All examples that still have something to learn once cut to <see cref="MaxLength"/>.</summary>
    /// <exception cref="InvalidDataException">An example is a conversation and the model has no chat form.</exception>
    public EncodedExamples Encode(IEnumerable<Example> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        List<TokenSequence> sequences = [];
        int tooLong = 0, inputCut = 0, answerCut = 0, dropped = 0;
        foreach (var example in examples)
        {
            var whole = Encode(example);
            var isTooLong = !Fits(whole);
            var shorter = isTooLong && WhenTooLong == LongExamples.CutInput
                ? ShorterExample.Of(example, shorter => Fits(Encode(shorter)))
                : null;
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

    private bool Fits(TokenSequence sequence) => sequence.Ids.Length <= MaxLength;

    private TokenSequence Beginning(TokenSequence whole) => new(whole.Ids[..MaxLength], whole.Labels[..MaxLength]);

    private TokenSequence Encode(Example example)
    {
        List<int> ids = [], labels = [];
        foreach (var exchange in Exchanges(example))
        {
            int[] given = Given(exchange), learned = Learned(exchange);
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
                $"The model's files name no known chat form; name one of {string.Join(", ", ChatForms.All)}."), chat),
        _ => throw new UnreachableException(example.GetType().Name),
    };

    private int[] Given(Exchange exchange)
    {
        var ids = Tokenizer.Encode(exchange.Prompt);
        return exchange.Begins && Tokenizer.Special.Beginning is { } beginning ? [beginning, .. ids] : ids;
    }

    private int[] Learned(Exchange exchange)
    {
        var answer = exchange.Continues ? Continuation(exchange.Prompt, exchange.Answer) : Tokenizer.Encode(exchange.Answer);
        return TurnEnd(exchange.EndOfTurn) is { } end ? [.. answer, end] : answer;
    }

    private int[] Continuation(string before, string text)
    {
        int[] given = Tokenizer.Encode(before), whole = Tokenizer.Encode(before + text);
        return whole.AsSpan().StartsWith(given) ? whole[given.Length..] : Tokenizer.Encode(text);
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
