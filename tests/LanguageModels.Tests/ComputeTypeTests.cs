using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;
using FedKSeed.Training;

namespace FedKSeed.LanguageModels.Tests;

public class ComputeTypeTests
{
    private static readonly ReferenceModel Reference = new("qwen2-bias-tied");

    [Theory]
    [InlineData("gpt2", ComputeType.BF16, 0.02)]
    [InlineData("gpt2", ComputeType.F16, 0.002)]
    [InlineData("mistral-sliding", ComputeType.BF16, 0.02)]
    [InlineData("mistral-sliding", ComputeType.F16, 0.002)]
    [InlineData("qwen3-qknorm", ComputeType.BF16, 0.02)]
    [InlineData("llama3-rope-tied", ComputeType.F16, 0.002)]
    public void In_16_bits_the_loss_is_that_of_the_reference_to_the_types_precision(string name, ComputeType type, double relative)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, type);
        using var weights = model.BaseWeights();
        Assert.Equal(type, weights.Type);
        Assert.Equal(reference.Loss, model.Loss(weights, reference.Batch), relative * reference.Loss);
        var greedy = model.Generate(weights, [reference.GreedyPrompt], 12, [], TestContext.Current.CancellationToken)[0];
        Assert.Equal(12, greedy.Length);
    }

    [Theory]
    [InlineData(ComputeType.BF16, TensorType.BF16)]
    [InlineData(ComputeType.F16, TensorType.F16)]
    public void A_version_is_the_float32_one_rounded_once(ComputeType type, TensorType stored)
    {
        Rebuilder rebuilder = new(new DirectionSpace { PoolKey = 7, SeedCount = 3 }, [70_000_001, -3, 1_500_000], 9);
        using CausalLanguageModel wide = Reference.Load(), narrow = CausalLanguageModel.Load(Reference.Folder, type);
        using ModelWeights expected = wide.Rebuild(rebuilder), actual = narrow.Rebuild(rebuilder);
        foreach (var tensor in wide.Checkpoint.Weights)
            Assert.Equal(Rounded(stored, expected.Read(tensor.Name)), actual.Read(tensor.Name));
    }

    [Theory]
    [InlineData(ComputeType.F32, TensorType.F32)]
    [InlineData(ComputeType.BF16, TensorType.BF16)]
    [InlineData(ComputeType.F16, TensorType.F16)]
    public void Both_signs_are_one_float32_operation_rounded_once(ComputeType type, TensorType stored)
    {
        const float epsilon = 1e-3f, step = -3e-4f;
        using var model = CausalLanguageModel.Load(Reference.Folder, type);
        using PerturbedWeights perturbed = new(model, Reference.Pool);
        perturbed.Move(seed: 11, step);
        perturbed.Perturb(seed: 37, epsilon);
        foreach (var parameter in model.Decoder.Layout.Parameters)
        {
            foreach (var tensor in model.Decoder.Layout.Tensors(parameter))
            {
                var start = Rounded(stored, tensor.Source.ToArray());
                Direction previous = Reference.Pool.Direction(11, tensor.Ordinal), next = Reference.Pool.Direction(37, tensor.Ordinal);
                float[] moved = [.. start.Select((w, i) => MathF.FusedMultiplyAdd(step, previous.Value(i), w))];
                float[] plus = [.. moved.Select((w, i) => MathF.FusedMultiplyAdd(epsilon, next.Value(i), w))];
                float[] minus = [.. moved.Select((w, i) => MathF.FusedMultiplyAdd(-epsilon, next.Value(i), w))];
                using var rows = TorchSharp.torch.arange(parameter.Rows, TorchSharp.torch.ScalarType.Int64);
                using var written = perturbed.Rows(parameter, rows); // [2, rows, columns]
                var both = written.to(TorchSharp.torch.ScalarType.Float32).data<float>().ToArray();
                var at = (int)(tensor.Offset - parameter.Offset);
                Assert.Equal(Rounded(stored, plus), both[at..(at + plus.Length)]);
                at += (int)parameter.Count;
                Assert.Equal(Rounded(stored, minus), both[at..(at + minus.Length)]);
            }
        }
    }

    [Theory]
    [InlineData(ComputeType.BF16)]
    [InlineData(ComputeType.F16)]
    public void Updates_far_below_the_types_precision_add_up(ComputeType type)
    {
        const int steps = 50;
        using var model = CausalLanguageModel.Load(Reference.Folder, type);
        using ZerothOrderTrainer trainer = new(model, Reference.Pool);
        using var start = model.BaseWeights();
        TokenBatch batch = new([Reference.Sequences[0]]);
        double moved = 0;
        for (var i = 0; i < steps; i++)
            moved += -1e-7 * trainer.Step(batch, seed: 5, 1e-3f, learningRate: 1e-7).Scalar!.Value;
        // An ulp of weights as these is 10⁻⁵ or more in either type, and 10⁻⁸ in float32.
        const string name = "model.layers.0.self_attn.q_proj.weight";
        var direction = Reference.Pool.Direction(5, model.Checkpoint[name].Ordinal!.Value);
        float[] before = start.Read(name), after = trainer.Weights.Read(name);
        Assert.True(Math.Abs(moved) > 2e-6, $"The steps add up to {moved}.");
        for (var i = 0; i < before.Length; i++)
            Assert.Equal(moved * direction.Value(i), after[i] - before[i], 3e-7);
    }

    [Fact]
    public void Types_are_named_as_in_config_json()
    {
        Assert.All(Enum.GetValues<ComputeType>(), type => Assert.Equal(type, ComputeTypes.Parse(type.Name())));
        var error = Assert.Throws<FormatException>(() => ComputeTypes.Parse("int8"));
        Assert.Contains(
            "'int8' is not a compute type; there are float32, bfloat16, float16, float64", error.Message, StringComparison.Ordinal);
    }

    private static float[] Rounded(TensorType type, float[] values)
    {
        var elements = new byte[values.Length * type.Size()];
        type.Narrow(values, elements);
        var rounded = new float[values.Length];
        type.Widen(elements, rounded);
        return rounded;
    }
}
