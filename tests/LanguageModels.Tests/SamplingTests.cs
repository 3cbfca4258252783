using CsCheck;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels.Generation;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Tests;
using FedKSeed.Tokenization;

namespace FedKSeed.LanguageModels.Tests;

public sealed class SamplingTests : IDisposable
{
    private static readonly ReferenceModel Reference = new("llama-gqa-untied");

    private readonly CausalLanguageModel _model = Reference.Load();
    private readonly ModelWeights _weights;

    public SamplingTests() => _weights = _model.BaseWeights();

    [Fact]
    public void A_seed_draws_the_same_text_again_alone_or_beside_others()
    {
        int[][] prompts = [Reference.GreedyPrompt, [1, 2, 3], [7]];
        var together = Generate(prompts, new Sampling { Temperature = 2, Seed = 5 });
        Assert.Equal(together, Generate(prompts, new Sampling { Temperature = 2, Seed = 5 }));
        for (var i = 0; i < prompts.Length; i++)
            Assert.Equal(together[i], Generate([prompts[i]], new Sampling { Temperature = 2, Seed = 5, FirstText = i })[0]);
        Assert.NotEqual(together, Generate(prompts, new Sampling { Temperature = 2, Seed = 6 }));
    }

    [Fact]
    public void The_likeliest_token_alone_is_the_greedy_text()
    {
        var greedy = _model.Generate(_weights, [Reference.GreedyPrompt], 12, [], TestContext.Current.CancellationToken);
        Assert.Equal(greedy, Generate([Reference.GreedyPrompt], new Sampling { TopK = 1 }));
        Assert.Equal(greedy, Generate([Reference.GreedyPrompt], new Sampling { TopP = 1e-9 }));
        Assert.Equal(greedy, Generate([Reference.GreedyPrompt], new Sampling { Temperature = 1e-6 }));
    }

    [Fact]
    public void Tokens_are_told_as_they_are_written()
    {
        List<(int, int)> told = [];
        int[][] prompts = [[1, 2, 3, 4], [5]];
        var texts = _model.Generate(
            _weights, prompts, new GenerationSettings(9, [], new Sampling { Seed = 1 }), (row, token) => told.Add((row, token)),
            TestContext.Current.CancellationToken);
        Assert.Equal(texts[0], told.Where(one => one.Item1 == 0).Select(one => one.Item2));
        Assert.Equal(texts[1], told.Where(one => one.Item1 == 1).Select(one => one.Item2));
    }

    [Fact]
    public void A_generation_can_be_called_off_between_tokens()
    {
        using CancellationTokenSource stop = new();
        var written = 0;
        Assert.Throws<OperationCanceledException>(() => _model.Generate(
            _weights, [[1, 2]], new GenerationSettings(30, []), (_, _) => { if (++written == 3) stop.Cancel(); }, stop.Token));
        Assert.Equal(3, written);
    }

    /// <summary>
    /// First tokens drawn from a model, against its own probabilities: Pearson's statistic over the likeliest ones and the rest.
    /// </summary>
    [Fact]
    public void Drawn_tokens_follow_the_models_distribution()
    {
        const int rows = 250, batches = 16, cells = 12;
        var probabilities = FirstTokenProbabilities(temperature: 0.7);
        int[] likeliest = [.. Enumerable.Range(0, probabilities.Length).OrderByDescending(id => probabilities[id]).Take(cells)];
        int[] prompt = [3, 1, 4];
        int[][] prompts = [.. Enumerable.Repeat(prompt, rows)];
        var counts = new int[probabilities.Length];
        for (var batch = 0; batch < batches; batch++)
        {
            GenerationSettings settings = new(1, [], new Sampling { Temperature = 0.7, Seed = 11, FirstText = batch * rows });
            foreach (var text in _model.Generate(_weights, prompts, settings, cancellation: TestContext.Current.CancellationToken))
                counts[text[0]]++;
        }
        const int draws = rows * batches;
        var statistic = likeliest.Sum(id => Square(counts[id] - draws * probabilities[id]) / (draws * probabilities[id]));
        var rest = 1 - likeliest.Sum(id => probabilities[id]);
        statistic += Square(draws - likeliest.Sum(id => counts[id]) - draws * rest) / (draws * rest);
        // Chi-squared with 12 degrees of freedom exceeds 39.1 once in 10 000 times; the seed is fixed.
        Assert.InRange(statistic, 0, 39.1);
        Assert.True(counts.Count(count => count > 0) > cells);
    }

    [Fact]
    public void Top_k_and_top_p_keep_the_likeliest_tokens_and_their_proportions()
    {
        double[] probabilities = [0.05, 0.4, 0.15, 0.3, 0.1];
        float[] logits = [.. probabilities.Select(p => (float)Math.Log(p))];
        Assert.Equal(["1: 0.57", "3: 0.43"], Drawn(new Sampling { TopK = 2 }));
        Assert.Equal(["1: 0.47", "2: 0.18", "3: 0.35"], Drawn(new Sampling { TopP = 0.75 }));
        Assert.Equal(["1: 0.57", "3: 0.43"], Drawn(new Sampling { TopP = 0.65 }));
        Assert.Equal(["1: 0.57", "3: 0.43"], Drawn(new Sampling { TopK = 3, TopP = 0.8 }));
        Assert.Equal(["0: 0.05", "1: 0.40", "2: 0.15", "3: 0.30", "4: 0.10"], Drawn(new Sampling()));

        string[] Drawn(Sampling sampling)
        {
            const int steps = 100_000;
            return [.. Enumerable.Range(0, steps).Select(i => sampling.Choose(logits, (i + 0.5) / steps)).CountBy(id => id)
                .OrderBy(pair => pair.Key).Select(pair => FormattableString.Invariant($"{pair.Key}: {pair.Value / (double)steps:F2}"))];
        }
    }

    [Fact]
    public void Logits_that_are_not_finite_are_an_error_and_impossible_tokens_are_never_drawn()
    {
        Assert.Throws<InvalidOperationException>(() => new Sampling().Choose([0, float.NaN], 0.5));
        Assert.Throws<InvalidOperationException>(() => new Sampling().Choose([float.NegativeInfinity], 0.5));
        Assert.Equal(1, new Sampling().Choose([float.NegativeInfinity, 0, float.NegativeInfinity], Math.BitDecrement(1.0)));
    }

    [Fact]
    public void A_text_that_comes_token_by_token_is_the_text_of_all_tokens()
    {
        var tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", "bytelevel"));
        Gen.Int[0, tokenizer.VocabularySize - 1].Array[0,
        30].Sample(ids => Assert.Equal(tokenizer.Decode(ids), string.Concat(Streamed(tokenizer, ids))));
        Gen.String.Sample(
            text => Assert.Equal(tokenizer.Decode(tokenizer.Encode(text)), string.Concat(Streamed(tokenizer, tokenizer.Encode(text)))));
    }

    [Fact]
    public void No_half_of_a_character_is_ever_shown()
    {
        var tokenizer = Tokenizer.Load(Vectors.Path("tokenizers", "bytelevel"));
        const string text = "naïve 🦙 ตัวอย่าง 語";
        var ids = tokenizer.Encode(text);
        var parts = Streamed(tokenizer, ids);
        Assert.Contains("", parts);
        Assert.Equal(text, string.Concat(parts));
        Assert.All(parts, part => Assert.DoesNotContain('\uFFFD', part));
    }

    public void Dispose()
    {
        _weights.Dispose();
        _model.Dispose();
    }

    private static string[] Streamed(Tokenizer tokenizer, int[] ids)
    {
        StreamedText text = new(tokenizer);
        return [.. ids.Select(text.Add), text.End()];
    }

    private static double Square(double x) => x * x;

    private double[] FirstTokenProbabilities(double temperature)
    {
        var logits = _model.Logits(_weights, new TokenBatch([new TokenSequence([3, 1, 4, 0], [-100, -100, -100, 0])]));
        double largest = logits.Max(), sum = logits.Sum(logit => Math.Exp((logit - largest) / temperature));
        return [.. logits.Select(logit => Math.Exp((logit - largest) / temperature) / sum)];
    }

    private int[][] Generate(int[][] prompts, Sampling sampling) =>
        _model.Generate(_weights, prompts, new GenerationSettings(12, [], sampling), cancellation: TestContext.Current.CancellationToken);
}
