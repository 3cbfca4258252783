using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Evaluation;
using FedKSeed.Observation;
using FedKSeed.Perturbation.Adapters;
using TorchSharp;

namespace FedKSeed.Cli.Run;

/// <summary>Scores a model folder on the whole held-out file of a run.</summary>
internal static class HeldOutScoring
{
    private const int ShownAnswers = 3;

    /// <summary>Loads the folder as anyone would, and scores it.</summary>
    public static HeldOutScore Score(string folder, RunPlan plan, IProgress<double>? progress, CancellationToken cancel)
    {
        torch.set_num_threads(plan.Threads);
        var (source, adapter) = PeftFolder.Find(folder);
        using var model = CausalLanguageModel.Load(source, adapter, plan.ComputeType);
        using var weights = model.BaseWeights();
        var prompt = ModelPrompt.Of(RunPlan.PromptFolder(source, adapter), plan.Prompt, plan.ChatForm);
        var encoder = model.Encoder(prompt.Template, plan.MaximumTokens, prompt.Chat) with { WhenTooLong = plan.LongExamples };
        var evaluator = new Evaluator(model, encoder, DataFile.Load(plan.HeldOut, plan.Reading()), plan.MaximumNewTokens);
        var evaluation = evaluator.Evaluate(weights, progress, cancel);
        return new HeldOutScore(
            evaluation.Answers.Count, double.IsFinite(evaluation.Loss) ? evaluation.Loss : null, evaluation.ExactMatch, evaluation.RougeL,
            [.. Shown(evaluation.Answers).Select(answer => new SampleAnswer(answer.Example.Question, answer.Example.Output, answer.Text))]);
    }

    /// <summary>The same ones before and after, evenly spaced: a file sorted by task then shows one of each.</summary>
    private static IEnumerable<Answer> Shown(IReadOnlyList<Answer> answers) =>
        Enumerable.Range(0, Math.Min(ShownAnswers, answers.Count)).Select(k => answers[(2 * k + 1) * answers.Count / (2 * ShownAnswers)]);
}
