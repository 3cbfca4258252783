using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels.Evaluation;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Tests;
using FedKSeed.Tokenization;

namespace FedKSeed.LanguageModels.Tests;

public sealed class EvaluatorTests : IDisposable
{
    private const int MaxNewTokens = 6;
    private static readonly Tokenizer Tokenizer = SmallTokenizer();
    private static readonly ExampleEncoder Encoder = new(Tokenizer, new PromptTemplate("{instruction} {input}", "{instruction}"), 64);

    private readonly CausalLanguageModel _model = new ReferenceModel("llama-gqa-untied").Load();
    private readonly ModelWeights _weights;

    public EvaluatorTests() => _weights = _model.BaseWeights();

    [Fact]
    public void The_models_own_answers_score_full_marks_and_others_none()
    {
        string[] prompts = ["a", "bc de", "123", "-- |"];
        var tokens = _model.Generate(
            _weights, [.. prompts.Select(prompt => Tokenizer.Encode(prompt))], MaxNewTokens, [], TestContext.Current.CancellationToken);
        string[] own = [.. tokens.Select(ids => Tokenizer.Decode(ids))];
        InstructionExample[] examples = [.. prompts.Zip(
            own, (prompt, answer) => new InstructionExample(prompt, null, " " + answer + "\n")), new("zz", null, "nothing like it")];

        var evaluation = new Evaluator(_model, Encoder, examples, MaxNewTokens).Evaluate(
            _weights, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(own, evaluation.Answers.Take(prompts.Length).Select(answer => answer.Text));
        Assert.Equal(0.8, evaluation.ExactMatch, 1e-12);
        Assert.Equal(
            examples.Zip(evaluation.Answers, (example, answer) => RougeL.F1(answer.Text, example.Output)).Average(), evaluation.RougeL,
            1e-12);
    }

    [Fact]
    public void The_loss_is_the_mean_over_all_answer_tokens_however_they_are_batched()
    {
        InstructionExample[] examples =
        [
            .. Enumerable.Range(0, 70)
                .Select(i => new InstructionExample($"n {i}", i % 2 == 0 ? "even" : null, new string('x', 1 + i % 9))),
        ];
        double sum = 0;
        var labels = 0;
        foreach (var sequence in Encoder.Encode(examples).Sequences)
        {
            TokenBatch alone = new([sequence]);
            sum += _model.Loss(_weights, alone) * alone.LabelCount;
            labels += alone.LabelCount;
        }
        List<double> progress = [];
        var evaluation = new Evaluator(_model, Encoder, examples, MaxNewTokens).Evaluate(
            _weights, new Sink(progress), TestContext.Current.CancellationToken);
        Assert.Equal(sum / labels, evaluation.Loss, 1e-5);
        Assert.Equal(1.0, progress[^1]);
        Assert.Equal(progress.Order(), progress);
    }

    [Fact]
    public void Perplexity_is_e_to_the_loss() =>
        Assert.Equal(Math.Exp(1.25), new EvaluationResult(1.25, 0, 0, []).Perplexity, 1e-12);

    [Fact]
    public void The_nearest_of_several_wanted_answers_counts()
    {
        InstructionExample example = new("?", null, "a b c") { Alternatives = ["d e"] };
        Assert.True(new Answer(example, " d e\n").IsExact);
        Assert.Equal(1, new Answer(example, "d e").RougeL, 1e-12);
        Assert.Equal(RougeL.F1("a b", "a b c"), new Answer(example, "a b").RougeL, 1e-12);
        Assert.False(new Answer(example, "a b").IsExact);
    }

    [Fact]
    public void Prompts_without_room_for_an_answer_are_counted_and_score_the_loss_alone()
    {
        InstructionExample tooLong = new(new string('x', _model.MaxLength + 5), null, "b");
        Evaluator evaluator = new(_model, Encoder, [tooLong, new InstructionExample("a", null, "b"), tooLong], MaxNewTokens);
        Assert.Equal((2, 2, 0), (evaluator.Unasked, evaluator.Encoded.Truncated, evaluator.Encoded.Dropped));
        Assert.Equal(
            "a", Assert.Single(evaluator.Evaluate(_weights, cancellation: TestContext.Current.CancellationToken).Answers).Example.Question);
        Assert.Throws<InvalidDataException>(() => new Evaluator(_model, Encoder, [tooLong], MaxNewTokens));
    }

    [Fact]
    public void A_tokenizer_with_more_ids_than_the_model_is_refused()
    {
        ExampleEncoder foreign = new(Tokenizer.Load(Vectors.Path("tokenizers", "bytelevel")), PromptTemplate.Alpaca, 64);
        Assert.Throws<ArgumentException>(() => new Evaluator(_model, foreign, [new InstructionExample("a", null, "b")], MaxNewTokens));
    }

    [Fact]
    public void An_evaluation_can_be_called_off()
    {
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        Evaluator evaluator = new(_model, Encoder, [new InstructionExample("a", null, "b")], MaxNewTokens);
        Assert.Throws<OperationCanceledException>(() => evaluator.Evaluate(_weights, cancellation: cancelled.Token));
    }

    public void Dispose()
    {
        _weights.Dispose();
        _model.Dispose();
    }

    /// <summary>The first 320 tokens of a reference tokenizer: as many as the reference model has.</summary>
    private static Tokenizer SmallTokenizer()
    {
        var file = JsonNode.Parse(File.ReadAllText(Vectors.Path("tokenizers", "bytelevel", "tokenizer.json")))!.AsObject();
        var model = file["model"]!.AsObject();
        var kept = model["vocab"]!.AsObject().ToDictionary(token => token.Key, token => token.Value!.GetValue<int>())
            .Where(token => token.Value < 320).ToDictionary();
        model["vocab"] = JsonSerializer.SerializeToNode(kept);
        model["merges"] = JsonSerializer.SerializeToNode(model["merges"]!.AsArray()
            .Select(merge => merge!.AsArray().Select(part => part!.GetValue<string>()).ToArray())
            .Where(parts => kept.ContainsKey(parts[0] + parts[1]))
            .Select(parts => string.Join(' ', parts)));
        using TemporaryFolder folder = new();
        folder.Write("tokenizer.json", file.ToJsonString());
        return Tokenizer.Load(folder.Path);
    }

    private sealed class Sink(List<double> reports) : IProgress<double>
    {
        public void Report(double value) => reports.Add(value);
    }
}
