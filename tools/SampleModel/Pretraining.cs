using System.Diagnostics;
using TorchSharp.Modules;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace FedKSeed.SampleModel;

/// <param name="Steps">Optimiser steps.</param>
/// <param name="BatchSize">Sequences a step.</param>
/// <param name="LearningRate">AdamW's, at the top of the schedule.</param>
/// <param name="WeightNoise">
/// Standard deviation of noise on every weight while the gradient is taken. It leads to wide minima, where random
/// directions (which is all that zeroth-order steps have) can go far without breaking what the model knows.
/// </param>
/// <param name="Seed">Of the weights, the examples and the noise.</param>
internal sealed record PretrainingOptions(
    int Steps, int BatchSize = 64, double LearningRate = 2e-3, double WeightNoise = 0.015, int Seed = 1);

/// <summary>First-order training of the base model on generated text and tasks.</summary>
internal static class Pretraining
{
    private const int WarmUpSteps = 100, ReportEvery = 250, HeldOut = 256;
    private const double InitialScale = 0.05;

    /// <returns>The trained parameters by name.</returns>
    public static IReadOnlyDictionary<string, Tensor> Run(
        LlamaShape shape, SampleTokenizer tokenizer, PretrainingOptions options, TextWriter progress)
    {
        random.manual_seed(options.Seed);
        var parameters = Initialise(shape);
        using var model = new Llama(shape, parameters.ToDictionary(p => p.Key, p => (Tensor)p.Value));
        using var optimiser = optim.AdamW(parameters.Values, options.LearningRate, beta2: 0.98, weight_decay: 0.01);
        var draws = new Random(options.Seed);
        var heldOut = Draw(new Random(~options.Seed), tokenizer, HeldOut);
        var clock = Stopwatch.StartNew();
        for (var step = 1; step <= options.Steps; step++)
        {
            optimiser.ParamGroups.Single().LearningRate = options.LearningRate * Schedule(step, options.Steps);
            var loss = Step(model, optimiser, [.. parameters.Values], Draw(draws, tokenizer, options.BatchSize), options.WeightNoise);
            if (step % ReportEvery != 0 && step != options.Steps) continue;
            (var heldOutLoss, var exact) = Scoring.Score(model, heldOut);
            progress.WriteLine(
                $"step {step,5}  loss {loss:F3}  held-out loss {heldOutLoss:F3}  exact match {exact:P1}  {clock.Elapsed:mm\\:ss}");
        }
        return parameters.ToDictionary(p => p.Key, p => (Tensor)p.Value);
    }

    private static float Step(Llama model, optim.Optimizer optimiser, Parameter[] parameters, List<Sequence> sequences, double noise)
    {
        using var scope = NewDisposeScope();
        Tensor[] offsets = [.. parameters.Select(parameter => randn_like(parameter, requires_grad: false) * noise)];
        Shift(parameters, offsets, 1);
        var batch = Batch.Of(sequences);
        var loss = F.cross_entropy(model.Logits(batch.Ids, batch.Positions), batch.Labels);
        optimiser.zero_grad();
        loss.backward();
        Shift(parameters, offsets, -1);
        nn.utils.clip_grad_norm_(parameters, 1.0);
        optimiser.step();
        return loss.item<float>();
    }

    private static void Shift(Parameter[] parameters, Tensor[] offsets, int sign)
    {
        using var noGrad = no_grad();
        foreach ((var parameter, var offset) in parameters.Zip(offsets)) parameter.add_(offset, alpha: sign);
    }

    /// <summary>Four instruction examples to one line of text.</summary>
    private static List<Sequence> Draw(Random random, SampleTokenizer tokenizer, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => Draw(random, tokenizer))];

    private static Sequence Draw(Random random, SampleTokenizer tokenizer) => random.Next(5) == 0
        ? Prompt.Encode(PretrainingTasks.Sentence(random), tokenizer)
        : Prompt.Encode(random.Pick(PretrainingTasks.All).Example(random), tokenizer);

    /// <summary>Linear warm-up, then a cosine to a hundredth.</summary>
    private static double Schedule(int step, int steps) => step < WarmUpSteps
        ? (double)step / WarmUpSteps
        : 0.01 + (0.99 * 0.5 * (1 + Math.Cos(Math.PI * (step - WarmUpSteps) / Math.Max(1, steps - WarmUpSteps))));

    private static Dictionary<string, Parameter> Initialise(LlamaShape shape) =>
        shape.Parameters().ToDictionary(parameter => parameter.Name, parameter =>
    {
        (var name, var dimensions) = parameter;
        if (dimensions.Length == 1) return new Parameter(ones(dimensions));
        var closesBlock = name.EndsWith("o_proj.weight", StringComparison.Ordinal)
            || name.EndsWith("down_proj.weight", StringComparison.Ordinal);
        return new Parameter(randn(dimensions) * (closesBlock ? InitialScale / Math.Sqrt(2 * shape.Layers) : InitialScale));
    });
}
