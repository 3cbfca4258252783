using FedKSeed.InstructionData;
using FedKSeed.LanguageModels.Weights;

namespace FedKSeed.LanguageModels.Evaluation;

/// <summary>An example and what the model made of it.</summary>
public sealed record Answer(Example Example, string Text)
{
    /// <summary>Whether the text is a wanted answer but for surrounding white space.</summary>
    public bool IsExact => Wanted.Any(wanted => Text.Trim() == wanted.Trim());

    /// <summary>ROUGE-L F1 against the nearest wanted answer, 0 to 1.</summary>
    public double RougeL => Wanted.Max(wanted => Evaluation.RougeL.F1(Text, wanted));

    private IEnumerable<string> Wanted => Example.Alternatives.Prepend(Example.Output);
}

/// <summary>How well a version of the model does on held-out examples.</summary>
/// <param name="Loss">Mean cross-entropy over all answer tokens, in nats.</param>
/// <param name="ExactMatch">Share of answers that are wanted ones but for surrounding white space, 0 to 1.</param>
/// <param name="RougeL">Mean ROUGE-L F1, 0 to 1.</param>
/// <param name="Answers">One for each example whose prompt leaves room for an answer, in their order.</param>
public sealed record EvaluationResult(double Loss, double ExactMatch, double RougeL, IReadOnlyList<Answer> Answers)
{
    /// <summary>e to the loss: among how many equally likely tokens the model as good as guesses.</summary>
    public double Perplexity => Math.Exp(Loss);
}

/// <summary>Nothing of the data can be scored.</summary>
public sealed class NoExampleFitsException(string message) : FormatException(message);

/// <summary>Scores versions of one model on a fixed set of examples. Immutable, so usable from several threads.</summary>
public sealed class Evaluator
{
    // Enough rows for the products to be wide, few enough for the progress to move.
    private const int MaxRows = 64;

    // Tokens of a batch: bounds activations, and keys and values.
    private const int MaxTokens = 16_384;

    // Logits of a batch, in float32 half a gigabyte: a large vocabulary bounds the labels.
    private const long MaxLogits = 1L << 27;

    private readonly CausalLanguageModel _model;
    private readonly ExampleEncoder _encoder;
    private readonly IReadOnlyList<Example> _examples;
    private readonly int _maxNewTokens;
    private readonly TokenBatch[] _batches;
    private readonly int[][] _prompts;
    private readonly int[][] _promptBatches;

    /// <param name="model">The model whose versions are scored.</param>
    /// <param name="encoder">Tokenizer, template and longest sequence, as in training.</param>
    /// <param name="examples">Held-out examples.</param>
    /// <param name="maxNewTokens">Longest answer, in tokens.</param>
    /// <exception cref="ArgumentException">The tokenizer is not the model's.</exception>
    /// <exception cref="NoExampleFitsException">No example has an answer within the longest sequence.</exception>
    /// <exception cref="InvalidDataException">No prompt leaves room for an answer, or the model cannot take such examples.</exception>
    public Evaluator(CausalLanguageModel model, ExampleEncoder encoder, IReadOnlyList<Example> examples, int maxNewTokens)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(examples);
        if (encoder.Tokenizer.VocabularySize > model.VocabularySize)
            throw new ArgumentException(
                $"The tokenizer has {encoder.Tokenizer.VocabularySize} ids, the model {model.VocabularySize}.", nameof(encoder));
        (_model, _encoder, _examples, _maxNewTokens) = (model, encoder, examples, maxNewTokens);
        Encoded = encoder.Encode(examples);
        if (Encoded.Sequences.Count == 0)
            throw new NoExampleFitsException($"No example has an answer within {encoder.MaxLength} tokens.");
        var longestPrompt = model.MaxLength - maxNewTokens;
        // One token more than that tells that there is no room.
        _prompts = [.. examples.Select(example => encoder.Prompt(example, Math.Max(0, longestPrompt) + 1))];
        int[] asked = [.. Enumerable.Range(0, examples.Count).Where(i => _prompts[i].Length <= longestPrompt)];
        Unasked = examples.Count - asked.Length;
        if (asked.Length == 0)
            throw new InvalidDataException(
                $"No prompt leaves room for an answer of {maxNewTokens} tokens: the model takes {model.MaxLength} in all.");
        // Neighbours of like length waste the least on padding and on waiting.
        _batches = [.. Batches(Encoded.Sequences.OrderBy(sequence => sequence.Ids.Length), IsFull).Select(some => new TokenBatch(some))];
        _promptBatches = [.. Batches(
            asked.OrderBy(i => _prompts[i].Length), some => some.Count * (_prompts[some[^1]].Length + maxNewTokens) > MaxTokens)];
    }

    /// <summary>The examples in tokens: how many were too long.</summary>
    public EncodedExamples Encoded { get; }

    /// <summary>Examples whose prompt leaves no room for an answer: they count for the loss alone.</summary>
    public int Unasked { get; }

    /// <summary>Loss, then the model's own answers, greedily.</summary>
    /// <param name="weights">The version to score.</param>
    /// <param name="progress">Gets the share that is done, 0 to 1.</param>
    /// <param name="cancellation">Stops between batches and between tokens.</param>
    public EvaluationResult Evaluate(ModelWeights weights, IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        double total = _batches.Length + _promptBatches.Length;
        var done = 0;
        double sum = 0;
        foreach (var batch in _batches)
        {
            cancellation.ThrowIfCancellationRequested();
            sum += _model.Loss(weights, batch) * batch.LabelCount;
            progress?.Report(++done / total);
        }
        var answers = new Answer?[_examples.Count];
        foreach (var indices in _promptBatches)
        {
            int[][] prompts = [.. indices.Select(i => _prompts[i])];
            var tokens = _model.Generate(weights, prompts, _maxNewTokens, _encoder.Ends, cancellation);
            for (var k = 0; k < indices.Length; k++)
                answers[indices[k]] = new Answer(_examples[indices[k]], _encoder.Tokenizer.Decode(tokens[k]));
            progress?.Report(++done / total);
        }
        Answer[] given = [.. answers.OfType<Answer>()];
        return new EvaluationResult(
            sum / _batches.Sum(batch => batch.LabelCount),
            given.Average(answer => answer.IsExact ? 1.0 : 0.0),
            given.Average(answer => answer.RougeL),
            given);
    }

    private bool IsFull(List<TokenSequence> sequences) =>
        sequences.Count * sequences[^1].Ids.Length > MaxTokens
        || sequences.Sum(sequence => sequence.Labels.LongCount(label => label != TokenSequence.Ignored))
            * _model.VocabularySize > MaxLogits;

    /// <summary>Runs of items, as long as they may be; one that is too much on its own is a batch on its own.</summary>
    private static IEnumerable<T[]> Batches<T>(IEnumerable<T> items, Predicate<List<T>> isTooMuch)
    {
        List<T> batch = [];
        foreach (var item in items)
        {
            batch.Add(item);
            if (batch.Count <= 1 || (batch.Count <= MaxRows && !isTooMuch(batch)))
                continue;
            batch.RemoveAt(batch.Count - 1);
            yield return [.. batch];
            batch = [item];
        }
        if (batch.Count > 0)
            yield return [.. batch];
    }
}
