using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;
using FedKSeed.Training;

namespace FedKSeed.LanguageModels.Tests;

/// <summary>Every checkpoint of tests/Vectors/models against what transformers computed with it.</summary>
public class ParityTests
{
    private static readonly ReferenceModel Reference = new("llama-gqa-untied");

    public static TheoryData<string> Models =>
        new(Directory.GetDirectories(Vectors.Path("models")).Select(folder => Path.GetFileName(folder)!).Order());

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Models))]
    public void Losses_are_those_of_the_reference(string name)
    {
        ReferenceModel reference = new(name);
        using var model = reference.Load();
        using var weights = model.BaseWeights();
        AssertClose(reference.Loss, model.Loss(weights, reference.Batch), 1e-4);
        double[] alone = [.. reference.Sequences.Select(sequence => model.Loss(weights, new TokenBatch([sequence])))];
        foreach ((var expected, var actual) in reference.LossPerSequence.Zip(alone))
            AssertClose(expected, actual, 1e-4);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Logits_are_those_of_the_reference(string name)
    {
        ReferenceModel reference = new(name);
        AssertLogits(reference, "logits_last", reference.Sequences[0].Ids.Length - 1);
        AssertLogits(reference, "logits_mid", 20);
    }

    private static void AssertLogits(ReferenceModel reference, string which, int position)
    {
        using var model = reference.Load();
        using var weights = model.BaseWeights();
        // One more token, labelled, asks for the logits at the position before it.
        TokenSequence[] sequences = [.. reference.Sequences.Select(sequence =>
            new TokenSequence([.. sequence.Ids[..(position + 1)], 0], [.. Enumerable.Repeat(TokenSequence.Ignored, position + 1), 0]))];
        var logits = model.Logits(weights, new TokenBatch(sequences));
        var expected = reference.Logits(which);
        var scale = expected.SelectMany(row => row).Max(Math.Abs);
        for (var row = 0; row < expected.Length; row++)
        {
            for (var i = 0; i < expected[row].Length; i++)
                Assert.Equal(expected[row][i], logits[row * model.VocabularySize + i], 1e-4 * scale);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Greedy_text_is_that_of_the_reference_alone_and_beside_other_prompts(string name)
    {
        ReferenceModel reference = new(name);
        using var model = reference.Load();
        using var weights = model.BaseWeights();
        var other = reference.Sequences[1].Ids[..13];
        int[][] alone =
        [
            model.Generate(weights, [reference.GreedyPrompt], reference.Greedy.Length, [], Cancellation)[0],
            model.Generate(weights, [other], reference.Greedy.Length, [], Cancellation)[0],
        ];
        var together = model.Generate(weights, [other, reference.GreedyPrompt], reference.Greedy.Length, [], Cancellation);
        Assert.Equal(reference.Greedy, alone[0]);
        Assert.Equal(alone[0], together[1]);
        Assert.Equal(alone[1], together[0]);
    }

    [Fact]
    public void Generation_stops_at_an_end_token_and_leaves_it_out()
    {
        using var model = Reference.Load();
        using var weights = model.BaseWeights();
        var greedy = Reference.Greedy;
        // A token may come again: the text ends where the end token comes first.
        var end = greedy[greedy.Length / 2];
        var generated = model.Generate(weights, [Reference.GreedyPrompt], greedy.Length, [end], Cancellation)[0];
        Assert.Equal(greedy[..Array.IndexOf(greedy, end)], generated);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Scalars_of_a_zeroth_order_step_are_those_of_the_reference(string name)
    {
        ReferenceModel reference = new(name);
        using var model = reference.Load();
        using ZerothOrderTrainer trainer = new(model, reference.Pool);
        foreach (var known in reference.ZerothOrderCases)
        {
            var step = trainer.Step(reference.Batch, known.GetProperty("seed").GetInt32(), reference.Epsilon, learningRate: 0);
            AssertClose(known.GetProperty("loss_plus").GetDouble(), step.LossPlus, 1e-5);
            AssertClose(known.GetProperty("loss_minus").GetDouble(), step.LossMinus, 1e-5);
            AssertClose(known.GetProperty("scalar").GetDouble(), step.Scalar!.Value, 1e-2);
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void In_float64_losses_and_scalars_of_a_step_are_those_of_the_reference(string name)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        using ZerothOrderTrainer trainer = new(model, reference.Pool);
        foreach (var known in reference.ZerothOrderCases)
        {
            var step = trainer.Step(reference.Batch, known.GetProperty("seed").GetInt32(), reference.Epsilon, learningRate: 0);
            // Norms are float32 in the reference too: on a processor that sums in its order it is 10⁻¹⁵.
            AssertClose(known.GetProperty("loss_plus").GetDouble(), step.LossPlus, 1e-8);
            AssertClose(known.GetProperty("loss_minus").GetDouble(), step.LossMinus, 1e-8);
            AssertClose(known.GetProperty("scalar").GetDouble(), step.Scalar!.Value, 1e-5);
        }
    }

    [Fact]
    public void Rebuilt_weights_are_those_of_the_formula()
    {
        using var model = Reference.Load();
        DirectionSpace pool = new() { PoolKey = 7, SeedCount = 3 };
        int[] quantised = [70_000_001, -3, 1_500_000];
        const int shift = 9;
        using var rebuilt = model.Rebuild(new Rebuilder(pool, quantised, shift));
        foreach (var tensor in model.Checkpoint.Weights)
        {
            var expected = tensor.ToArray();
            for (var i = 0; i < expected.Length; i++)
            {
                long sum = 0;
                for (var seed = 0; seed < quantised.Length; seed++)
                    sum += quantised[seed] * (long)pool.Direction(seed, tensor.Ordinal!.Value).Value(i);
                expected[i] = MathF.FusedMultiplyAdd(-MathF.ScaleB(1, shift - 40), sum, expected[i]);
            }
            Assert.Equal(expected, rebuilt.Read(tensor.Name));
        }
    }

    private static void AssertClose(double expected, double actual, double relative) =>
        Assert.True(Math.Abs(expected - actual) <= relative * Math.Abs(expected), $"{actual} is not {expected} within {relative}.");
}
