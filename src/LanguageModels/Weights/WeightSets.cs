using FedKSeed.LanguageModels.Devices;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Weights;

/// <summary>Activations that weights join which may have more sets: <see cref="IWeights"/>.</summary>
internal static class WeightSets
{
    /// <summary>x·weight elementwise, in the memory of x where it has as many sets.</summary>
    public static Tensor TimesSets(this Tensor x, Tensor weight) => x.shape[0] < weight.shape[0] ? x.mul(weight) : x.mul_(weight);

    /// <summary>x + added, in the memory of x where it has as many sets.</summary>
    public static Tensor PlusSets(this Tensor x, Tensor added) => x.shape[0] < added.shape[0] ? x.Plus(added) : x.Add(added);

    /// <summary>x with a number of sets of its own, so that each can be changed.</summary>
    public static Tensor InSets(this Tensor x, long sets) => x.shape[0] < sets ? x.expand(sets, -1, -1).contiguous() : x;
}
