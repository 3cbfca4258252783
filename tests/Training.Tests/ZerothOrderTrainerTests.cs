using FedKSeed.InstructionData;
using FedKSeed.LanguageModels;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;
using TorchSharp;

namespace FedKSeed.Training.Tests;

public class ZerothOrderTrainerTests
{
    private const float Epsilon = 1e-3f;
    private const double LearningRate = 1e-3;
    private static readonly ReferenceModel Reference = new("llama-gqa-untied");
    private static readonly int[] Seeds = [5, 4095, 5, 37, 1024];

    [Fact]
    public void A_step_moves_every_weight_by_exactly_the_projected_gradient()
    {
        using var model = Reference.Load();
        using ZerothOrderTrainer trainer = new(model, Reference.Pool);
        var expected = model.Checkpoint.Weights.ToDictionary(tensor => tensor.Name, tensor => tensor.ToArray());
        foreach (var seed in Seeds)
        {
            var step = trainer.Step(Reference.Batch, seed, Epsilon, LearningRate);
            Assert.Equal((float)((step.LossPlus - step.LossMinus) / (2.0 * Epsilon)), step.Scalar);
            foreach (var tensor in model.Checkpoint.Weights)
            {
                var direction = Reference.Pool.Direction(seed, tensor.Ordinal!.Value);
                var weights = expected[tensor.Name];
                for (var i = 0; i < weights.Length; i++)
                    weights[i] -= (float)(LearningRate * step.Scalar!.Value) * direction.Value(i);
            }
        }
        foreach (var tensor in model.Checkpoint.Weights)
            Assert.Equal(expected[tensor.Name], trainer.Weights.Read(tensor.Name));
    }

    [Fact]
    public void A_pending_update_flushed_or_folded_into_the_next_step_gives_the_same_bits()
    {
        using var model = Reference.Load();
        (var folded, var foldedWeights) = Train(model, Seeds, flush: false);
        (var flushed, var flushedWeights) = Train(model, Seeds, flush: true);
        Assert.Equal(folded, flushed);
        Assert.Equal(foldedWeights, flushedWeights);
    }

    [Fact]
    public void The_same_steps_give_the_same_bits_again_after_a_reset()
    {
        using var model = Reference.Load();
        using var version = model.BaseWeights();
        using ZerothOrderTrainer trainer = new(model, Reference.Pool);
        StepResult[] first = [.. Seeds.Select(seed => trainer.Step(Reference.Batch, seed, Epsilon, LearningRate))];
        trainer.Reset(version);
        StepResult[] second = [.. Seeds.Select(seed => trainer.Step(Reference.Batch, seed, Epsilon, LearningRate))];
        Assert.Equal(first, second);
        trainer.Reset(version);
        Assert.Equal(version.Read("lm_head.weight"), trainer.Weights.Read("lm_head.weight"));
    }

    [Fact]
    public async Task Two_trainers_at_once_give_the_same_bits_as_one_after_the_other()
    {
        using var model = Reference.Load();
        int[][] seeds = [[.. Enumerable.Range(0, 40)], [.. Enumerable.Range(1000, 40)]];
        float[][] oneByOne = [.. seeds.Select(some => Train(model, some).Weights)];
        var atOnce = await Task.WhenAll(seeds.Select(some => Task.Run(() => Train(model, some).Weights)));
        Assert.Equal(oneByOne, atOnce);
    }

    [Fact]
    public void A_loss_that_is_not_finite_skips_the_step_and_leaves_the_weights()
    {
        using var model = Reference.Load();
        using ZerothOrderTrainer trainer = new(model, Reference.Pool);
        using var broken = model.BaseWeights();
        broken.Buffer.Floats(broken.Layout.Parameters.Single(parameter => parameter.Parts[0].Name == "model.norm.weight").Offset, 1)[0] =
            float.NaN;
        trainer.Reset(broken);
        var step = trainer.Step(Reference.Batch, seed: 0, Epsilon, LearningRate);
        Assert.True(step.Skipped);
        Assert.Null(step.Scalar);
        Assert.Equal(broken.Read("lm_head.weight"), trainer.Weights.Read("lm_head.weight"));

        using var whole = model.BaseWeights();
        trainer.Reset(whole);
        Assert.False(trainer.Step(Reference.Batch, seed: 0, Epsilon, LearningRate).Skipped);
    }

    /// <summary>The limit lies in the middle of the scalars that these steps have.</summary>
    [Fact]
    public void A_scalar_beyond_the_limit_moves_nothing()
    {
        using var model = Reference.Load();
        var limit = Train(model, Seeds).Steps.Select(step => Math.Abs(step.Scalar!.Value)).Order().ElementAt(Seeds.Length / 2);
        using ZerothOrderTrainer limited = new(model, Reference.Pool), follower = new(model, Reference.Pool);
        var skipped = 0;
        foreach (var seed in Seeds)
        {
            var step = limited.Step(Reference.Batch, seed, Epsilon, LearningRate, limit);
            var probe = follower.Probe(Reference.Batch, seed, Epsilon);
            Assert.Equal(probe, follower.Probe(Reference.Batch, seed, Epsilon)); // looking moves nothing
            Assert.Equal((probe.LossPlus, probe.LossMinus), (step.LossPlus, step.LossMinus));
            Assert.Equal(Math.Abs(probe.Scalar) > limit, step.Skipped);
            if (step.Scalar is { } scalar)
                follower.Move(seed, scalar, LearningRate);
            else
                skipped++;
        }
        Assert.InRange(skipped, 1, Seeds.Length - 1);
        foreach (var tensor in model.Checkpoint.Weights)
            Assert.Equal(follower.Weights.Read(tensor.Name), limited.Weights.Read(tensor.Name));
    }

    [Fact]
    public void Neither_memory_nor_the_number_of_tensors_grows_with_the_number_of_steps()
    {
        using var model = Reference.Load();
        using ZerothOrderTrainer trainer = new(model, Reference.Pool);
        TokenBatch batch = new([new TokenSequence(Reference.Sequences[0].Ids[..9], Reference.Sequences[0].Ids[..9])]);
        Steps(200);
        var tensors = DisposeScopeManager.Statistics.ThreadTotalLiveCount;
        long[] grown = [.. Enumerable.Range(0, 4).Select(_ =>
        {
            var memory = Environment.WorkingSet;
            Steps(600);
            return Environment.WorkingSet - memory;
        })];
        Assert.Equal(tensors, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
        // A step's activations and logits are about 200 kB: were they kept, each 600 steps would hold 120 MB. Other tests of this process
        // run meanwhile and take memory of their own, but not each time.
        Assert.True(grown.Min() < 40 << 20, $"600 steps added {string.Join(", ", grown.Select(bytes => bytes >> 20))} MiB.");

        void Steps(int count)
        {
            for (var seed = 0; seed < count; seed++)
                trainer.Step(batch, seed, Epsilon, learningRate: 1e-6);
        }
    }

    [Fact]
    public void Training_brings_the_loss_down()
    {
        using var model = Reference.Load();
        using ZerothOrderTrainer trainer = new(model, Reference.Pool);
        var before = model.Loss(trainer.Weights, Reference.Batch);
        for (var seed = 0; seed < 300; seed++)
            trainer.Step(Reference.Batch, seed, Epsilon, learningRate: 1e-4);
        var after = model.Loss(trainer.Weights, Reference.Batch);
        Assert.True(after < before - 0.2, $"{before} became {after}.");
    }

    private static (StepResult[] Steps, float[] Weights) Train(CausalLanguageModel model, int[] seeds, bool flush = false)
    {
        using ZerothOrderTrainer trainer = new(model, Reference.Pool);
        List<StepResult> steps = [];
        foreach (var seed in seeds)
        {
            steps.Add(trainer.Step(Reference.Batch, seed, Epsilon, LearningRate));
            if (flush)
                _ = trainer.Weights;
        }
        return ([.. steps], [.. model.Checkpoint.Weights.SelectMany(tensor => trainer.Weights.Read(tensor.Name))]);
    }
}
