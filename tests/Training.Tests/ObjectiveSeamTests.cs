using FedKSeed.LanguageModels;
using FedKSeed.Tests;
using FedKSeed.Training.Objectives;
using static TorchSharp.torch;

namespace FedKSeed.Training.Tests;

public class ObjectiveSeamTests
{
    private static readonly ReferenceModel Reference = new("qwen2-bias-tied");

    static ObjectiveSeamTests() => ObjectiveCatalogue.Register(new WorstLabel());

    /// <summary>The cross-entropy of the label that is hardest: no mean, and none of the product's own.</summary>
    private sealed class WorstLabel : IObjective
    {
        public string Name => "tests-worst-label/1";

        public Tensor Measure(BatchPass pass) => pass.Logits().log_softmax(-1) // [S, M, V]
            .gather(-1, pass.Targets.view(1, -1, 1).expand(pass.Sets, -1, 1)) // [S, M, 1]
            .neg().amax([1, 2]).to(ScalarType.Float64); // [S]
    }

    [Fact]
    public void A_step_measures_what_an_added_objective_says()
    {
        using var model = Reference.Load();
        using ZerothOrderTrainer usual = new(model, Reference.Pool), worst = new(model, Reference.Pool, objective: "tests-worst-label/1");
        var probe = worst.Probe(Reference.Batch, seed: 4, Reference.Epsilon);
        var all = Labels(model, worst.Weights);
        var near = all.Max();
        Assert.NotEqual(usual.Probe(Reference.Batch, seed: 4, Reference.Epsilon).Scalar, probe.Scalar);
        // Both signs are within ε of w: their worst labels are near its own, and far from the mean.
        Assert.Equal(near, (probe.LossPlus + probe.LossMinus) / 2, 0.05);
        Assert.True(near > all.Average() + 0.5, $"{near} against a mean of {all.Average()}");
    }

    [Fact]
    public void Cross_entropy_is_what_a_step_measures_unless_told_otherwise()
    {
        using var model = Reference.Load();
        using ZerothOrderTrainer trainer = new(model, Reference.Pool), told = new(model, Reference.Pool, objective: "cross-entropy/1");
        Assert.IsType<CrossEntropy>(trainer.Objective);
        Assert.Equal(told.Probe(Reference.Batch, 9, Reference.Epsilon), trainer.Probe(Reference.Batch, 9, Reference.Epsilon));
    }

    [Fact]
    public void An_objective_that_is_not_there_is_refused_with_those_that_are()
    {
        using var model = Reference.Load();
        var message = Assert.Throws<FormatException>(() => new ZerothOrderTrainer(model, Reference.Pool, objective: "accuracy/1")).Message;
        Assert.Contains("cross-entropy/1", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ObjectiveCatalogue.Register(new CrossEntropy()));
    }

    private static double[] Labels(CausalLanguageModel model, LanguageModels.Weights.ModelWeights weights)
    {
        double[] labels = [];
        model.Measure(weights, Reference.Batch, pass =>
        {
            labels = Array.ConvertAll(pass.CrossEntropies().cpu().data<float>().ToArray(), loss => (double)loss);
            return zeros(1, ScalarType.Float64);
        });
        return labels;
    }
}
