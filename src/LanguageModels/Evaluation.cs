namespace FedKSeed.LanguageModels;

/// <summary>An example and what the model made of it.</summary>
public sealed record Answer(InstructionExample Example, string Text)
{
    public bool IsExact => Text.Trim() == Example.Output.Trim();
}

/// <summary>How well a version of the model does on held-out examples.</summary>
/// <param name="Loss">Mean cross-entropy over all answer tokens, in nats.</param>
/// <param name="ExactMatch">Share of answers that are the wanted ones but for surrounding white space, 0 to 1.</param>
/// <param name="RougeL">Mean ROUGE-L F1, 0 to 1.</param>
/// <param name="Answers">One for each example, in their order.</param>
public sealed record Evaluation(double Loss, double ExactMatch, double RougeL, IReadOnlyList<Answer> Answers);

/// <summary>Scores versions of one model on a fixed set of examples. Immutable, so usable from several threads.</summary>
public sealed class Evaluator
{
    // Enough rows for the products to be wide, few enough for the progress to move.
    private const int BatchSize = 64;

    private readonly CausalLanguageModel _model;
    private readonly ExampleEncoder _encoder;
    private readonly IReadOnlyList<InstructionExample> _examples;
    private readonly int _maxNewTokens;
    private readonly TokenBatch[] _batches;
    private readonly int[][] _prompts;
    private readonly int[][] _promptBatches;

    /// <param name="model">The model whose versions are scored.</param>
    /// <param name="encoder">Tokenizer, template and longest sequence, as in training.</param>
    /// <param name="examples">Held-out examples.</param>
    /// <param name="maxNewTokens">Longest answer, in tokens.</param>
    /// <exception cref="ArgumentException">The tokenizer is not the model's, or no example fits.</exception>
    public Evaluator(CausalLanguageModel model, ExampleEncoder encoder, IReadOnlyList<InstructionExample> examples, int maxNewTokens)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(examples);
        if (encoder.Tokenizer.VocabularySize > model.VocabularySize)
            throw new ArgumentException($"The tokenizer has {encoder.Tokenizer.VocabularySize} ids, the model {model.VocabularySize}.", nameof(encoder));
        (_model, _encoder, _examples, _maxNewTokens) = (model, encoder, examples, maxNewTokens);
        // Neighbours of like length waste the least on padding and on waiting.
        IEnumerable<TokenSequence> sequences = encoder.Encode(examples).Sequences.OrderBy(sequence => sequence.Ids.Length);
        _batches = [.. sequences.Chunk(BatchSize).Select(some => new TokenBatch(some))];
        _prompts = [.. examples.Select(encoder.Prompt)];
        _promptBatches = [.. Enumerable.Range(0, examples.Count).OrderBy(i => _prompts[i].Length).Chunk(BatchSize)];
        if (_batches.Length == 0)
            throw new ArgumentException($"No example has an answer within {encoder.MaxLength} tokens.", nameof(examples));
        int longest = _prompts.Max(prompt => prompt.Length) + maxNewTokens;
        if (longest > model.MaxLength)
            throw new ArgumentException($"Prompt and answer may reach {longest} tokens; the model takes {model.MaxLength}.", nameof(examples));
    }

    /// <summary>Loss, then the model's own answers, greedily.</summary>
    /// <param name="weights">The version to score.</param>
    /// <param name="progress">Gets the share that is done, 0 to 1.</param>
    /// <param name="cancellation">Stops between batches and between tokens.</param>
    public Evaluation Evaluate(ModelWeights weights, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        double total = _batches.Length + _promptBatches.Length;
        int done = 0;
        double sum = 0;
        foreach (TokenBatch batch in _batches)
        {
            cancellation.ThrowIfCancellationRequested();
            sum += _model.Loss(weights, batch) * batch.LabelCount;
            progress?.Report(++done / total);
        }
        Answer[] answers = new Answer[_examples.Count];
        foreach (int[] indices in _promptBatches)
        {
            int[][] prompts = [.. indices.Select(i => _prompts[i])];
            int[][] tokens = _model.Generate(weights, prompts, _maxNewTokens, _encoder.Tokenizer.Special.Ends, cancellation);
            for (int k = 0; k < indices.Length; k++)
                answers[indices[k]] = new Answer(_examples[indices[k]], _encoder.Tokenizer.Decode(tokens[k]));
            progress?.Report(++done / total);
        }
        return new Evaluation(
            sum / _batches.Sum(batch => batch.LabelCount),
            answers.Average(answer => answer.IsExact ? 1.0 : 0.0),
            answers.Average(answer => RougeL.F1(answer.Text, answer.Example.Output)),
            answers);
    }
}
