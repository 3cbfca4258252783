using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;
using FedKSeed.Training;
using FedKSeed.Training.Objectives;
using TorchSharp;

namespace FedKSeed.LanguageModels.Tests.Devices;

/// <summary>Groups and directions of low rank (SPEC 8 and 9).</summary>
public abstract partial class DeviceTests
{
    // Every kind of part within one fused product, and what is left is frozen.
    private static readonly TensorGroup[] Kinds =
    [
        new() { Tensors = ["*layers.0*q_proj.weight"], Rank = 2, Scale = 1 },
        new() { Tensors = ["*layers.0*v_proj.weight", "*embed_tokens.weight"], Rank = 1 },
        new() { Tensors = ["*layers.1*k_proj.weight"], Rank = 0, Scale = -1 },
        new() { Tensors = ["*layers.1*q_proj.weight"], Rank = 1 },
        new() { Tensors = ["*layers.1*up_proj.weight"], Rank = 4, Scale = 2 },
        new() { Tensors = ["*norm.weight"] },
    ];

    public static TheoryData<string, ComputeType, double, int> Ranks()
    {
        var data = new TheoryData<string, ComputeType, double, int>();
        foreach ((var name, var type, var relative) in Models.Select(row => row.Data))
        {
            foreach (var rank in (int[])[1, 2, 4])
                data.Add(name, type, relative, rank);
        }
        return data;
    }

    [Theory]
    [MemberData(nameof(Ranks))]
    public void Losses_along_products_of_signs_are_those_of_the_CPU_to_the_types_precision(
        string name, ComputeType type, double relative, int rank)
    {
        ReferenceModel reference = new(name);
        AssertLosses(reference, type, relative, new TensorGroup { Tensors = ["*"], Rank = rank });
    }

    [Theory]
    [InlineData("llama-gqa-untied", ComputeType.F32, 2e-6)]
    [InlineData("qwen2-bias-tied", ComputeType.F32, 2e-6)]
    [InlineData("llama-gqa-untied", ComputeType.BF16, 2e-3)]
    public void Losses_of_groups_of_every_kind_are_those_of_the_CPU(string name, ComputeType type, double relative) =>
        AssertLosses(new ReferenceModel(name), type, relative, Kinds);

    /// <summary>What is frozen below the first tensor that is tuned is run once for both signs, wherever one set and two meet.</summary>
    [Theory]
    [InlineData("llama-gqa-untied", "layers:1", 1)]
    [InlineData("llama-gqa-untied", "head", 1)]
    [InlineData("llama-gqa-untied", "*1.post_attention_layernorm.weight", 1)]
    [InlineData("qwen2-bias-tied", "*1.self_attn.q_proj.bias,*1*up_proj.weight", 1)]
    [InlineData("qwen3-qknorm", "*1*k_norm.weight", 1)]
    [InlineData("qwen3-qknorm", "query-value", 0)]
    [InlineData("gpt2", "*wpe.weight", 0)]
    [InlineData("gpt2", "*h.0.ln_2.weight,*ln_f.bias", 0)]
    [InlineData("gpt2", "layers:-1", 1)]
    [InlineData("mistral-sliding", "norm", 0)]
    public void A_frozen_trunk_is_run_once_and_changes_no_loss(string name, string parts, int frozenLayers)
    {
        ReferenceModel reference = new(name);
        foreach (var rank in (int[])[0, 1])
        {
            TensorGroup group = new() { Tensors = parts.Split(','), Rank = rank };
            AssertLosses(reference, ComputeType.F32, 2e-6, group);

            using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F32, device);
            using PerturbedWeights weights = new(model, Pool(reference, model, group));
            SetsOfProducts counted = new(weights);
            weights.Perturb(seed: 1, Epsilon);
            _ = model.Measure(counted, reference.Batch, ObjectiveCatalogue.Default.Measure);
            var products = counted.OfTrunk();
            Assert.True(products >= frozenLayers * 4, $"{products} products were of one set."); // of a layer
        }
    }

    /// <summary>Shared parts as float32 moves on top of the version, own parts rounded as they are kept.</summary>
    [Theory]
    [InlineData(ComputeType.F32, false)]
    [InlineData(ComputeType.BF16, false)]
    [InlineData(ComputeType.BF16, true)]
    public void Weights_after_steps_of_groups_are_the_CPUs_bit_for_bit(ComputeType type, bool keepsFloat32)
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = CausalLanguageModel.Load(reference.Folder, type, device);
        var pool = Pool(reference, model, Kinds);
        using ZerothOrderTrainer trainer = new(model, pool, keepsFloat32);
        Assert.True(trainer.SharesVersion);
        using var start = model.BaseWeights();
        var expected = model.Checkpoint.Weights.ToDictionary(tensor => tensor.Name, tensor => start.Read(tensor.Name));
        for (uint draw = 0; draw < Seeds.Length; draw++)
        {
            var step = trainer.Step(reference.Batch, Seeds[draw], Epsilon, LearningRate);
            foreach (var tensor in start.Layout.Parameters.SelectMany(parameter => start.Layout.Tensors(parameter).ToArray()))
            {
                // Beside a part without structure in the same product, all of the product's parts are the trainer's own.
                var isOwn = start.Layout.Parameters.Single(parameter => parameter.Parts.Any(part => part.Name == tensor.Source.Name))
                    .Parts.Any(part => pool.Directed(
                        model.Checkpoint[part.Name].Ordinal!.Value, model.Checkpoint[part.Name].Columns) is { Rank: 0 });
                Advance(
                    pool.Direction(Seeds[draw], tensor.Ordinal, tensor.Source.Columns), (float)(-LearningRate * step.Scalar!.Value), draw,
                    isOwn && !keepsFloat32 ? type : ComputeType.F32, expected[tensor.Source.Name]);
            }
        }
        foreach (var tensor in model.Checkpoint.Weights)
            Assert.Equal(expected[tensor.Name], trainer.Weights.Read(tensor.Name));
    }

    [Fact]
    public void More_moves_than_are_held_at_once_change_nothing_but_rounding()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using CausalLanguageModel onCpu = reference.Load(), onDevice = CausalLanguageModel.Load(reference.Folder, ComputeType.F32, device);
        var pool = Pool(reference, onCpu, new TensorGroup { Tensors = ["*"], Rank = 1 });
        using ZerothOrderTrainer expected = new(onCpu, pool), actual = new(onDevice, pool);
        for (var seed = 0; seed < 70; seed++)
        {
            expected.Move(seed, 1 + seed % 3, 1e-5);
            actual.Move(seed, 1 + seed % 3, 1e-5);
        }
        Probe wanted = expected.Probe(reference.Batch, 100, 0.02f), got = actual.Probe(reference.Batch, 100, 0.02f);
        Assert.Equal(wanted.LossPlus, got.LossPlus, 2e-6 * wanted.LossPlus);
        Assert.Equal(wanted.LossMinus, got.LossMinus, 2e-6 * wanted.LossMinus);
    }

    [Fact]
    public void Steps_along_products_of_signs_are_the_same_again_after_a_reset_and_leave_no_tensor_behind()
    {
        ReferenceModel reference = new("llama3-rope-tied");
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.BF16, device);
        using var version = model.BaseWeights();
        using ZerothOrderTrainer trainer = new(model, Pool(reference, model, new TensorGroup { Tensors = ["*"], Rank = 1 }));
        trainer.Reset(version);
        var first = Steps();
        var tensors = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var assignment = 0; assignment < 3; assignment++)
        {
            trainer.Reset(version);
            Assert.Equal(first, Steps());
        }
        Assert.Equal(tensors, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        StepResult[] Steps() => [.. Seeds.Select(seed => trainer.Step(reference.Batch, seed, Epsilon, LearningRate))];
    }

    [Theory]
    [InlineData(ComputeType.F32)]
    [InlineData(ComputeType.F16)]
    [InlineData(ComputeType.BF16)]
    public void A_version_of_groups_rebuilt_on_the_device_is_the_CPUs_bit_for_bit(ComputeType type)
    {
        foreach (var groups in (TensorGroup[][])[Kinds, [new TensorGroup { Tensors = ["*"], Rank = 1 }]])
        {
            ReferenceModel reference = new("qwen2-bias-tied");
            using CausalLanguageModel onCpu = CausalLanguageModel.Load(reference.Folder, type),
                onDevice = CausalLanguageModel.Load(reference.Folder, type, device);
            var pool = Pool(reference, onCpu, groups) with { SeedCount = 40 };
            Rebuilder rebuilder = new(pool, [.. Enumerable.Range(0, 40).Select(i => (i * 7919 % 2001 - 1000) * 500)], 14);
            using ModelWeights expected = onCpu.Rebuild(rebuilder), actual = onDevice.Rebuild(rebuilder), start = onCpu.BaseWeights();
            foreach (var tensor in onCpu.Checkpoint.Weights)
            {
                Assert.Equal(expected.Read(tensor.Name), actual.Read(tensor.Name));
                var isFrozen = pool.Directed(tensor.Ordinal!.Value, tensor.Columns) is null;
                Assert.Equal(isFrozen, start.Read(tensor.Name).SequenceEqual(actual.Read(tensor.Name)));
            }
        }
    }

    [Fact]
    public void Training_along_products_of_signs_brings_the_loss_down_in_16_bits()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.BF16, device);
        using ZerothOrderTrainer trainer = new(model, Pool(reference, model, new TensorGroup { Tensors = ["*"], Rank = 1 }));
        TokenBatch batch = new([new TokenSequence(reference.Sequences[0].Ids[..9], reference.Sequences[0].Ids[..9])]);
        var before = model.Loss(trainer.Weights, batch);
        for (var seed = 0; seed < 80; seed++)
            trainer.Step(batch, seed, epsilon: 0.01f, learningRate: 1e-4);
        var after = model.Loss(trainer.Weights, batch);
        Assert.True(after < before - 0.1, $"{before} became {after}.");
    }

    private static DirectionSpace Pool(ReferenceModel reference, CausalLanguageModel model, params TensorGroup[] groups) =>
        (reference.Pool with { Scheme = DirectionSchemes.LowRank, Trainable = groups }).Resolve(model.Checkpoint);

    /// <summary>The second of two steps, so that a move lies behind it; both wide, so that what forgot them would be found out.</summary>
    private void AssertLosses(ReferenceModel reference, ComputeType type, double relative, params TensorGroup[] groups)
    {
        using CausalLanguageModel expected = CausalLanguageModel.Load(reference.Folder, type),
            actual = CausalLanguageModel.Load(reference.Folder, type, device);
        var pool = Pool(reference, expected, groups);
        using ZerothOrderTrainer onCpu = new(expected, pool), onDevice = new(actual, pool, keepsFloat32: true);
        var start = onCpu.Probe(reference.Batch, 77, epsilon: 0.04f);
        onCpu.Move(5, scalar: 40, LearningRate);
        onDevice.Move(5, scalar: 40, LearningRate);
        Probe wanted = onCpu.Probe(reference.Batch, 77, epsilon: 0.04f), got = onDevice.Probe(reference.Batch, 77, epsilon: 0.04f);
        Assert.Equal(wanted.LossPlus, got.LossPlus, relative * wanted.LossPlus);
        Assert.Equal(wanted.LossMinus, got.LossMinus, relative * wanted.LossMinus);
        var smallest = Math.Min(Math.Abs(wanted.LossPlus - wanted.LossMinus), Math.Abs(wanted.LossPlus - start.LossPlus));
        Assert.True(smallest > 2 * relative * wanted.LossPlus, $"A difference of {smallest} is too small to tell a mistake.");
    }
}
