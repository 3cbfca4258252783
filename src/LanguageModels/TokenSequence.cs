namespace FedKSeed.LanguageModels;

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
/// Turns examples into tokens: the template's prompt, unlabelled, then the answer and the end token, labelled. The
/// prompt and the answer are tokenised apart, so that generation sees the same prompt tokens as training.
/// </summary>
/// <param name="Tokenizer">The model's.</param>
/// <param name="Template">How an example is put to the model.</param>
/// <param name="MaxLength">Longest sequence, in tokens; the end of a longer one is cut off.</param>
public sealed record ExampleEncoder(Tokenizer Tokenizer, PromptTemplate Template, int MaxLength)
{
    /// <summary>The tokens before the answer, whole.</summary>
    public int[] Prompt(InstructionExample example)
    {
        int[] ids = Tokenizer.Encode(Template.Prompt(example));
        return Tokenizer.Special.Beginning is { } beginning ? [beginning, .. ids] : ids;
    }

    /// <summary>All examples that still have something to learn once cut to <see cref="MaxLength"/>.</summary>
    public EncodedExamples Encode(IEnumerable<InstructionExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        List<TokenSequence> sequences = [];
        int truncated = 0, dropped = 0;
        foreach (InstructionExample example in examples)
        {
            TokenSequence whole = Encode(example);
            truncated += whole.Ids.Length > MaxLength ? 1 : 0;
            TokenSequence cut = whole.Ids.Length > MaxLength ? new(whole.Ids[..MaxLength], whole.Labels[..MaxLength]) : whole;
            if (cut.HasTarget)
                sequences.Add(cut);
            else
                dropped++;
        }
        return new EncodedExamples(sequences, truncated, dropped);
    }

    private TokenSequence Encode(InstructionExample example)
    {
        int[] prompt = Prompt(example);
        int[] answer = Tokenizer.Encode(example.Output);
        if (Tokenizer.Special.End is { } end)
            answer = [.. answer, end];
        int[] ignored = new int[prompt.Length];
        Array.Fill(ignored, TokenSequence.Ignored);
        return new TokenSequence([.. prompt, .. answer], [.. ignored, .. answer]);
    }
}

/// <summary>Examples in tokens.</summary>
/// <param name="Sequences">Those that can be learned from, in order.</param>
/// <param name="Truncated">How many were longer than the limit.</param>
/// <param name="Dropped">How many of those had no answer left and were left out.</param>
public sealed record EncodedExamples(IReadOnlyList<TokenSequence> Sequences, int Truncated, int Dropped);
