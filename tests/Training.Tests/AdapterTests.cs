using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;
using TorchSharp;

namespace FedKSeed.Training.Tests;

/// <summary>
/// Passes and steps with adapters come to what they are by definition: LoRA to the merged weights, a prompt to the tokens that its rows are
/// the embeddings of; and directions on them to weights that are written down.
/// </summary>
public class AdapterTests
{
    private const float Epsilon = 1e-3f;
    private static readonly int[] Seeds = [5, 4095, 5, 37];

    private static readonly Adapter Lora = new() { Kind = AdapterKind.Lora, Rank = 4 };
    private static readonly Adapter Prompt = new() { Kind = AdapterKind.Prompt, Tokens = 5 };
    private static readonly Adapter Bias = new() { Kind = AdapterKind.Bias };

    public static TheoryData<string> Models() => [.. Names()];

    public static TheoryData<string, AdapterKind, string> Kinds()
    {
        var data = new TheoryData<string, AdapterKind, string>();
        foreach (var name in Names())
            foreach (var kind in Enum.GetValues<AdapterKind>())
                foreach (var scheme in new[] { DirectionSchemes.Rademacher, DirectionSchemes.LowRank })
                    if (kind != AdapterKind.Bias || name.StartsWith("llama", StringComparison.Ordinal))
                        data.Add(name, kind, scheme);
        return data;
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Scalars_are_those_of_weights_that_are_written_down(string name, AdapterKind kind, string scheme)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        var pool = (reference.Pool with { Scheme = scheme, Adapter = Of(kind) with { TrainA = true } }).Resolve(model.Checkpoint);
        var adapted = model.With(pool);
        using ZerothOrderTrainer trainer = new(adapted, pool);
        using WrittenDown written = new(adapted, pool, Epsilon);
        foreach (var seed in Seeds)
        {
            var expected = written.Scalar(reference.Batch, seed);
            // Behind a B of zeros, what is left of a direction's slope is small beside its losses.
            AssertClose(expected, trainer.Probe(reference.Batch, seed, Epsilon).Scalar, 1e-4, near: 1e-6);
            trainer.Move(seed, (float)expected, 1);
            written.Move(seed, (float)(-1 * (float)expected));
        }
        Assert.NotEqual(reference.Loss, adapted.Loss(trainer.Weights, reference.Batch), 1e-6);
    }

    [Theory, MemberData(nameof(Models))]
    public void Lora_is_the_weights_with_its_product_added(string name)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        string[] targets = name == "gpt2" ? ["c_attn", "mlp.c_proj"] : ["q_proj", "v_proj", "up_proj", "layers.1.mlp.down_proj"];
        var adapter = Lora with { Targets = targets };
        var initial = AdapterContent.Initial(adapter, reference.Pool.PoolKey, model.Checkpoint);
        var content = initial with { Tensors = [.. initial.Tensors.Select(Drawn)] };
        var adapted = model.With(content);
        using ModelWeights weights = adapted.BaseWeights(), merged = model.BaseWeights();
        foreach (var parameter in merged.Layout.Parameters)
            foreach (var tensor in merged.Layout.Tensors(parameter))
                if (adapted.Checkpoint.Contains(Named(tensor, AdapterContent.SuffixA)))
                    Merge(
                        merged, tensor, adapted.Checkpoint[Named(tensor, AdapterContent.SuffixA)].ToArray(),
                        adapted.Checkpoint[Named(tensor, AdapterContent.SuffixB)].ToArray(), name == "gpt2");

        var expected = model.Loss(merged, reference.Batch);
        Assert.NotEqual(reference.Loss, expected, 1e-4);
        Assert.Equal(expected, adapted.Loss(weights, reference.Batch), 1e-9);
        var prompt = reference.GreedyPrompt;
        Assert.Equal(Greedy(model, merged, prompt), Greedy(adapted, weights, prompt));
    }

    [Theory, MemberData(nameof(Models))]
    public void A_prompt_is_the_tokens_that_its_rows_embed(string name)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        var adapted = model.With(AdapterContent.Initial(Prompt, reference.Pool.PoolKey, model.Checkpoint));
        var tokens = TokensOf(adapted.Checkpoint);
        using ModelWeights weights = adapted.BaseWeights(), plain = model.BaseWeights();
        TokenSequence[] longer = [.. reference.Sequences.Select(sequence => new TokenSequence(
            [.. tokens, .. sequence.Ids],
            // What a text's first token is predicted from is no part of the text: it does not count without a prompt, nor with one.
            [.. tokens.Select(_ => TokenSequence.Ignored), TokenSequence.Ignored, .. sequence.Labels[1..]]))];

        Assert.Equal(model.Loss(plain, new TokenBatch(longer)), adapted.Loss(weights, reference.Batch), 1e-9);
        Assert.Equal(model.MaxLength - tokens.Length, adapted.MaxLength);
        int[] prompt = reference.GreedyPrompt, shorter = prompt[..3];
        Assert.Equal(
            Greedy(model, plain, [.. tokens, .. prompt], [.. tokens, .. shorter]), Greedy(adapted, weights, prompt, shorter));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void In_sixteen_bits_losses_are_those_of_the_exact_ones_but_for_rounding(string name, AdapterKind kind, string scheme)
    {
        ReferenceModel reference = new(name);
        using CausalLanguageModel narrow = CausalLanguageModel.Load(reference.Folder, ComputeType.BF16),
            exact = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        var pool = (reference.Pool with { Scheme = scheme, Adapter = Of(kind) }).Resolve(exact.Checkpoint);
        using ZerothOrderTrainer trainer = new(narrow.With(pool), pool), wide = new(exact.With(pool), pool);
        foreach (var seed in Seeds)
        {
            var expected = wide.Probe(reference.Batch, seed, 0.01f);
            var actual = trainer.Probe(reference.Batch, seed, 0.01f);
            AssertClose(expected.LossPlus, actual.LossPlus, 0.02);
            AssertClose(expected.LossMinus, actual.LossMinus, 0.02);
            trainer.Move(seed, 1, 0.01);
            wide.Move(seed, 1, 0.01);
        }
    }

    [Theory]
    [InlineData(DirectionSchemes.Rademacher)]
    [InlineData(DirectionSchemes.LowRank)]
    public void A_trainer_copies_no_more_than_what_it_tunes(string scheme)
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = reference.Load();
        var pool = (reference.Pool with { Scheme = scheme, Adapter = Lora }).Resolve(model.Checkpoint);
        var adapted = model.With(pool);
        using ZerothOrderTrainer trainer = new(adapted, pool);
        using var version = adapted.BaseWeights();
        trainer.Reset(version);
        Assert.True(trainer.SharesVersion);
        trainer.Step(reference.Batch, seed: 3, Epsilon, learningRate: 1);
        var moved = adapted.Checkpoint.Weights.Where(tensor => !trainer.Weights.Read(tensor.Name).SequenceEqual(tensor.ToArray()));
        Assert.Equal(
            adapted.Checkpoint.Adapter.Where(tensor => tensor.Name.EndsWith(AdapterContent.SuffixB, StringComparison.Ordinal))
                .Select(tensor => tensor.Name),
            moved.Select(tensor => tensor.Name));
    }

    /// <summary>Layers below the first adapted one have one set of activations for both signs.</summary>
    [Fact]
    public void Layers_below_the_first_adapted_one_run_once()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = reference.Load();
        var pool = (reference.Pool with { Adapter = Lora with { Targets = ["layers.1.self_attn.v_proj"] } }).Resolve(model.Checkpoint);
        var adapted = model.With(pool);
        using PerturbedWeights perturbed = new(adapted, pool);
        perturbed.Perturb(seed: 7, Epsilon);
        SetsOfProducts counted = new(perturbed);
        var losses = adapted.Measure(counted, reference.Batch, pass => pass.CrossEntropies().mean([1], type: torch.ScalarType.Float64));

        // Layer 0, queries to values of layer 1, and A there: once. B, and all behind it: for both signs.
        Assert.Equal([1, 1, 1, 1, 1, 1], counted.Products.TakeWhile(sets => sets == 1));
        Assert.All(counted.Products.Skip(6), sets => Assert.Equal(2, sets));
        Assert.Equal(2, losses.Distinct().Count());
    }

    [Fact]
    public void A_prompt_longer_than_the_context_is_refused()
    {
        ReferenceModel reference = new("gpt2");
        using var model = reference.Load();
        var refusal = Assert.Throws<InvalidDataException>(
            () => model.With(AdapterContent.Initial(Prompt with { Tokens = model.MaxLength }, 1, model.Checkpoint)));
        Assert.Contains("leaves no room", refusal.Message, StringComparison.Ordinal);
    }

    private static IEnumerable<string> Names() =>
        Directory.GetDirectories(Vectors.Path("models")).Select(folder => Path.GetFileName(folder)!).Order();

    private static int[][] Greedy(CausalLanguageModel model, ModelWeights weights, params int[][] prompts) =>
        model.Generate(weights, prompts, 12, [], TestContext.Current.CancellationToken);

    private static Adapter Of(AdapterKind kind) => kind switch
    {
        AdapterKind.Lora => Lora,
        AdapterKind.Bias => Bias,
        _ => Prompt,
    };

    private static string Named(PlacedTensor tensor, string suffix) => tensor.Source.Name[..^".weight".Length] + suffix;

    /// <summary>Values that are all but zero.</summary>
    private static TensorContent Drawn(TensorContent tensor, int index)
    {
        var random = new Random(index);
        var bytes = new byte[tensor.Bytes.Length];
        for (var at = 0; at < bytes.Length; at += sizeof(float))
            BitConverter.TryWriteBytes(bytes.AsSpan(at), random.NextSingle() - 0.5f);
        return tensor with { Bytes = bytes };
    }

    private static void Merge(ModelWeights weights, PlacedTensor tensor, float[] a, float[] b, bool isTransposed)
    {
        const int rank = 4;
        const double scale = 16.0 / rank;
        var (rows, columns) = ((int)tensor.Source.Shape[0], (int)tensor.Source.Shape[1]);
        var (inputs, outputs) = isTransposed ? (rows, columns) : (columns, rows);
        var values = Array.ConvertAll(tensor.Source.ToArray(), value => (double)value);
        for (var o = 0; o < outputs; o++)
            for (var i = 0; i < inputs; i++)
                for (var r = 0; r < rank; r++)
                    values[isTransposed ? i * outputs + o : o * inputs + i] += scale * b[o * rank + r] * a[r * inputs + i];
        using var written = torch.tensor(values);
        using var place = weights.Buffer.Tensor.narrow(0, tensor.Offset, tensor.Count);
        place.copy_(written);
    }

    /// <summary>The tokens whose embeddings a prompt begins with.</summary>
    private static int[] TokensOf(Checkpoint adapted)
    {
        var embedding = adapted.Base.Weights.Single(
            tensor => tensor.Name.EndsWith("embed_tokens.weight", StringComparison.Ordinal)
                || tensor.Name.EndsWith("wte.weight", StringComparison.Ordinal));
        var rows = embedding.ToArray().Chunk((int)embedding.Columns).ToArray();
        return [.. adapted.Adapter[0].ToArray().Chunk((int)embedding.Columns)
            .Select(row => Array.FindIndex(rows, other => other.SequenceEqual(row)))];
    }

    private static void AssertClose(double expected, double actual, double relative, double near = 0) => Assert.True(
        Math.Abs(actual - expected) <= relative * Math.Abs(expected) + near, $"{actual} instead of {expected}");
}
