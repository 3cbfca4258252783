using FedKSeed.LanguageModels;
using static TorchSharp.torch;

namespace FedKSeed.Training.Objectives;

/// <summary>
/// What a zeroth-order step makes smaller. It needs a value and no gradient, so that it may be any function of the pass, a count of right
/// answers, say. Immutable: one serves all trainers of a process.
/// </summary>
public interface IObjective
{
    /// <summary>What it is called where it is chosen: a word and a version, "cross-entropy/1".</summary>
    string Name { get; }

    /// <summary>
    /// The value of each of the S sets of weights, [S] float64; not finite where there is none, and the step is then skipped.
    /// </summary>
    Tensor Measure(BatchPass pass);
}
