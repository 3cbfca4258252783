using FedKSeed.LanguageModels.Weights;
using static TorchSharp.torch;

namespace FedKSeed.Training;

/// <summary>
/// Parameters of which a trainer has a copy, because they move along directions without structure: w + ε·z and w − ε·z side by side, S = 2.
/// Made by <see cref="PerturbedWeights"/>, of the parameters that it does not share; on the CPU or on a card. Not thread-safe.
/// </summary>
internal interface IPerturbedParameters : IDisposable
{
    /// <summary>What is here: one or more.</summary>
    IReadOnlyList<Parameter> Parameters { get; }

    bool Has(Parameter parameter);

    /// <summary>Takes the parameters of a version, and forgets a move that is pending.</summary>
    void Reset(ModelWeights version);

    /// <summary>From here on they are perturbed along this seed's direction. After a reset.</summary>
    void Perturb(int seed, float epsilon);

    /// <summary>w ← w + step·z, to be done when w is next read.</summary>
    void Move(int seed, float step);

    /// <summary>Writes the parameters, after every move, into float32 weights on the same device.</summary>
    void CopyTo(ModelWeights target);

    /// <summary>[2, 1, elements]: good until the next parameter is asked for.</summary>
    Tensor Vector(Parameter parameter);

    /// <summary>[2, N, columns]: the rows of a looked-up matrix at int64 indices [N]. The caller's own.</summary>
    Tensor Rows(Parameter parameter, Tensor ids);

    /// <summary>Both signs of a matrix, [2, rows, columns] and transposed: good until the next parameter is asked for.</summary>
    WeightViews Write(Parameter parameter);

    /// <summary>Both signs of the output layer, so many rows at a time as the memory for it holds.</summary>
    IEnumerable<(long FirstRow, WeightViews Rows)> WriteByRows(Parameter parameter);
}
