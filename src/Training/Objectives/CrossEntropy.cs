using FedKSeed.LanguageModels;
using static TorchSharp.torch;

namespace FedKSeed.Training.Objectives;

/// <summary>Mean cross-entropy over all label tokens of the batch, in nats (SPEC 4).</summary>
public sealed class CrossEntropy : IObjective
{
    public string Name => "cross-entropy/1";

    public Tensor Measure(BatchPass pass)
    {
        ArgumentNullException.ThrowIfNull(pass);
        return pass.CrossEntropies().mean([1], type: ScalarType.Float64); // [S]
    }
}
