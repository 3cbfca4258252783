using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Weights;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>
/// What lies between a decoder's products: torch's own operations, or one kernel each where every call counts. S is the number of weight
/// sets, N of tokens; weights are as <see cref="IWeights"/> gives them.
/// </summary>
public interface IOperations
{
    /// <summary>RMSNorm over the last axis of x [S, N, H] by weight [S, 1, H].</summary>
    Tensor Normalise(Tensor x, Tensor weight, double epsilon);

    /// <summary>The residual sum x + added [S, N, H], in the memory of <paramref name="added"/>, and its RMSNorm.</summary>
    Tensor AddAndNormalise(Tensor x, Tensor added, Tensor weight, double epsilon);

    /// <summary>
    /// RMSNorm in place of <paramref name="count"/> heads, from the given one on, of x [S, N, heads·D] by weight [S, 1, D].
    /// </summary>
    void NormaliseHeads(Tensor x, int first, int count, int size, Tensor weight, double epsilon);

    /// <summary>The first <paramref name="count"/> of heads [S·B, T, heads, D], turned by their positions; may overwrite them.</summary>
    Tensor Rotate(Tensor heads, int count, Rotation rotation);

    /// <summary>silu(gate)·up of gateUp [S, N, 2F], which may be overwritten.</summary>
    Tensor Gate(Tensor gateUp);

    /// <summary>
    /// Cross-entropy [S·M], float32 or better, of hidden [S, M, H] by the output layer <paramref name="head"/> against targets [M].
    /// </summary>
    Tensor CrossEntropy(IWeights weights, Tensor hidden, Parameter head, Tensor targets);
}
