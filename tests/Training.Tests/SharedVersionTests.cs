using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;
using FedKSeed.Training.Objectives;
using TorchSharp;

namespace FedKSeed.Training.Tests;

/// <summary>
/// Steps along products of signs, and around frozen tensors, read the version where it lies. What they come to is what comes of weights
/// that are written down: here in float64, element by element, from <see cref="Direction.Value"/>.
/// </summary>
public class SharedVersionTests
{
    private const float Epsilon = 1e-3f;
    private const double LearningRate = 1e-3;
    private static readonly int[] Seeds = [5, 4095, 5, 37];

    public static TheoryData<string, int> Models()
    {
        var data = new TheoryData<string, int>();
        foreach (var name in Directory.GetDirectories(Vectors.Path("models")).Select(folder => Path.GetFileName(folder)!).Order())
            foreach (var rank in new[] { 1, 2, 4 })
                data.Add(name, rank);
        return data;
    }

    [Theory, MemberData(nameof(Models))]
    public void Scalars_are_those_of_weights_that_are_written_down(string name, int rank)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        var pool = Pool(reference, model, new TensorGroup { Tensors = ["*"], Rank = rank });

        AssertParity(reference, model, pool, relative: 1e-5);
    }

    [Theory, MemberData(nameof(Models))]
    public void In_float32_they_differ_by_its_rounding(string name, int rank)
    {
        ReferenceModel reference = new(name);
        using var model = reference.Load();
        using var exact = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        var pool = Pool(reference, model, new TensorGroup { Tensors = ["*"], Rank = rank });
        using ZerothOrderTrainer narrow = new(model, pool), wide = new(exact, pool);
        foreach (var seed in Seeds)
        {
            var expected = wide.Probe(reference.Batch, seed, Epsilon).Scalar;
            AssertClose(expected, narrow.Probe(reference.Batch, seed, Epsilon).Scalar, 1e-2);
            narrow.Move(seed, expected, LearningRate);
            wide.Move(seed, expected, LearningRate);
        }
    }

    /// <summary>A product is rounded to 16 bits once, and so are the two terms that are added to it.</summary>
    [Theory]
    [InlineData("llama3-rope-tied", ComputeType.BF16, 0.02)]
    [InlineData("gpt2", ComputeType.BF16, 0.02)]
    [InlineData("llama-gqa-untied", ComputeType.F16, 0.005)]
    public void In_sixteen_bits_losses_are_those_of_the_exact_ones_but_for_rounding(string name, ComputeType type, double relative)
    {
        ReferenceModel reference = new(name);
        using CausalLanguageModel narrow = CausalLanguageModel.Load(reference.Folder, type),
            exact = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        var pool = Pool(reference, exact, new TensorGroup { Tensors = ["*"], Rank = 1 });
        using ZerothOrderTrainer trainer = new(narrow, pool), wide = new(exact, pool);
        foreach (var seed in Seeds)
        {
            var expected = wide.Probe(reference.Batch, seed, 0.01f);
            var actual = trainer.Probe(reference.Batch, seed, 0.01f);
            AssertClose(expected.LossPlus, actual.LossPlus, relative);
            AssertClose(expected.LossMinus, actual.LossMinus, relative);
            trainer.Move(seed, 1, 0.01);
            wide.Move(seed, 1, 0.01);
        }
    }

    /// <summary>Frozen parts, parts without structure, scales and ranks within one fused product, and a frozen head.</summary>
    [Theory]
    [InlineData("llama-gqa-untied")]
    [InlineData("qwen2-bias-tied")]
    public void Groups_of_every_kind_keep_to_it(string name)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        var pool = Pool(
            reference, model,
            new TensorGroup { Tensors = ["*layers.0*q_proj.weight"], Rank = 2, Scale = 1 },
            new TensorGroup { Tensors = ["*layers.0*v_proj.weight"], Rank = 1 },
            new TensorGroup { Tensors = ["*layers.1*k_proj.weight"], Rank = 0, Scale = -1 },
            new TensorGroup { Tensors = ["*layers.1*up_proj.weight"], Rank = 4, Scale = 2 },
            new TensorGroup { Tensors = ["*norm.weight"] });

        AssertParity(reference, model, pool, relative: 1e-5);
    }

    /// <summary>Below the first tensor that is tuned there is one set of activations, for both signs; from there on two.</summary>
    [Theory]
    [InlineData("llama-gqa-untied", "layers:1", 1)]
    [InlineData("llama-gqa-untied", "head", 0)]
    [InlineData("llama-gqa-untied", "*1.post_attention_layernorm.weight", 1)]
    [InlineData("qwen2-bias-tied", "*1.self_attn.q_proj.bias,*1*up_proj.weight", 1)]
    [InlineData("qwen3-qknorm", "*1*k_norm.weight", 1)]
    [InlineData("qwen3-qknorm", "query-value", 0)]
    [InlineData("gpt2", "*wpe.weight", 0)]
    [InlineData("gpt2", "*h.1.attn.c_proj.bias", 1)]
    [InlineData("gpt2", "*h.0.ln_2.weight,*ln_f.bias", 0)]
    [InlineData("gpt2", "layers:-1", 1)]
    [InlineData("mistral-sliding", "norm", 0)]
    public void A_frozen_trunk_is_run_once_and_changes_no_scalar(string name, string parts, int frozenLayers)
    {
        ReferenceModel reference = new(name);
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        foreach (var rank in new[] { 0, 1 })
        {
            var pool = Pool(reference, model, new TensorGroup { Tensors = parts.Split(','), Rank = rank });
            AssertParity(reference, model, pool, relative: 1e-5);

            using PerturbedWeights weights = new(model, pool);
            SetsOfProducts counted = new(weights);
            weights.Perturb(seed: 1, Epsilon);
            _ = model.Measure(counted, reference.Batch, ObjectiveCatalogue.Default.Measure);
            var products = counted.OfTrunk();
            Assert.True(products >= frozenLayers * 4, $"{products} products were of one set."); // of a layer
        }
    }

    [Fact]
    public void Without_structure_frozen_tensors_are_shared_as_well()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        var space = reference.Pool with { Trainable = [new TensorGroup { Tensors = ["*mlp*"] }, new TensorGroup { Tensors = ["*norm*"] }] };
        var pool = space.Resolve(model.Checkpoint);

        AssertParity(reference, model, pool, relative: 1e-5);
        using ZerothOrderTrainer trainer = new(model, pool);
        Assert.True(trainer.SharesVersion);
    }

    [Theory, MemberData(nameof(Models))]
    public void Weights_after_an_assignment_are_those_of_its_moves_written_down(string name, int rank)
    {
        ReferenceModel reference = new(name);
        using var model = reference.Load();
        var pool = Pool(reference, model, new TensorGroup { Tensors = ["*"], Rank = rank });
        using ZerothOrderTrainer trainer = new(model, pool);
        var expected = model.Checkpoint.Weights.ToDictionary(tensor => tensor.Name, tensor => tensor.ToArray());
        foreach (var (seed, scalar) in Seeds.Zip([0.5f, -2f, 1.25f, 3f]))
        {
            trainer.Move(seed, scalar, LearningRate);
            foreach (var tensor in model.Checkpoint.Weights)
                Perturbation.Perturb.Advance(
                    pool.Direction(seed, tensor.Ordinal!.Value, tensor.Columns), (float)(-LearningRate * scalar), 0, expected[tensor.Name]);
        }
        foreach (var tensor in model.Checkpoint.Weights)
            Assert.Equal(expected[tensor.Name], trainer.Weights.Read(tensor.Name));
    }

    [Fact]
    public void More_moves_than_are_held_at_once_change_nothing_but_rounding()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = CausalLanguageModel.Load(reference.Folder, ComputeType.F64);
        var pool = Pool(reference, model, new TensorGroup { Tensors = ["*"], Rank = 1 });
        using ZerothOrderTrainer trainer = new(model, pool);
        using var written = new WrittenDown(model, pool);
        for (var seed = 0; seed < 70; seed++)
        {
            trainer.Move(seed, 1 + seed % 3, 1e-5);
            written.Move(seed, (float)(-1e-5 * (1 + seed % 3)));
        }
        AssertClose(written.Scalar(reference.Batch, 100), trainer.Probe(reference.Batch, 100, Epsilon).Scalar, 1e-5);
    }

    [Fact]
    public void After_a_reset_the_same_steps_give_the_same_bits_again()
    {
        ReferenceModel reference = new("llama3-rope-tied");
        using var model = reference.Load();
        var pool = Pool(reference, model, new TensorGroup { Tensors = ["*"], Rank = 1 });
        using var version = model.BaseWeights();
        using ZerothOrderTrainer trainer = new(model, pool), other = new(model, pool);
        trainer.Reset(version);
        other.Reset(version);
        StepResult[] first = [.. Seeds.Select(seed => trainer.Step(reference.Batch, seed, Epsilon, LearningRate))];
        trainer.Reset(version);
        Assert.Equal(first, Seeds.Select(seed => trainer.Step(reference.Batch, seed, Epsilon, LearningRate)));
        Assert.Equal(first, Seeds.Select(seed => other.Step(reference.Batch, seed, Epsilon, LearningRate)));
    }

    [Fact]
    public void A_loss_that_is_not_finite_skips_the_step()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = reference.Load();
        using ZerothOrderTrainer trainer = new(model, Pool(reference, model, new TensorGroup { Tensors = ["*"], Rank = 1 }));
        using var broken = model.BaseWeights();
        broken.Buffer.Floats(0, (int)broken.Layout.Parameters[0].Count).Fill(float.NaN);
        trainer.Reset(broken);
        Assert.True(trainer.Step(reference.Batch, seed: 0, Epsilon, LearningRate).Skipped);
    }

    [Fact]
    public void Neither_memory_nor_the_number_of_tensors_grows_with_resets()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = reference.Load();
        using var version = model.BaseWeights();
        using ZerothOrderTrainer trainer = new(model, Pool(reference, model, new TensorGroup { Tensors = ["*"], Rank = 1 }));
        TokenBatch batch = new([reference.Sequences[0]]);
        Assign();
        var tensors = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        for (var assignment = 0; assignment < 5; assignment++)
            Assign();
        Assert.Equal(tensors, DisposeScopeManager.Statistics.ThreadTotalLiveCount);

        void Assign()
        {
            trainer.Reset(version);
            foreach (var seed in Seeds)
                trainer.Step(batch, seed, Epsilon, LearningRate);
        }
    }

    private static DirectionSpace Pool(ReferenceModel reference, CausalLanguageModel model, params TensorGroup[] groups) =>
        (reference.Pool with { Scheme = DirectionSchemes.LowRank, Trainable = groups }).Resolve(model.Checkpoint);

    private static void AssertParity(ReferenceModel reference, CausalLanguageModel model, DirectionSpace pool, double relative)
    {
        using ZerothOrderTrainer trainer = new(model, pool);
        using WrittenDown written = new(model, pool);
        foreach (var seed in Seeds)
        {
            var expected = written.Scalar(reference.Batch, seed);
            AssertClose(expected, trainer.Probe(reference.Batch, seed, Epsilon).Scalar, relative);
            trainer.Move(seed, (float)expected, LearningRate);
            written.Move(seed, (float)(-LearningRate * (float)expected));
        }
    }

    private static void AssertClose(double expected, double actual, double relative) =>
        Assert.True(Math.Abs(actual - expected) <= relative * Math.Abs(expected), $"{actual} instead of {expected}");
}
