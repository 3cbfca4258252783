using FedKSeed.LanguageModels.Devices;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Weights;

/// <summary>
/// The weights as the forward pass uses them: S sets side by side, one for a plain pass and two for both signs of a zeroth-order step.
/// It gives products, not matrices: where a matrix lies, in which type, and whether it is ever written down is the weights' own business.
/// Whatever is the same in all sets may come once, with 1 in the place of S, and so activations may: the frozen layers below the first
/// one that differs are run once for all of them.
/// </summary>
public interface IWeights
{
    /// <summary>S, the leading axis of weights and activations; 1 where they are the same in all sets.</summary>
    int Sets { get; }

    /// <summary>The type of every product, and so of the activations.</summary>
    ComputeType Type { get; }

    /// <summary>Where weights and activations lie.</summary>
    ModelDevice Device { get; }

    /// <summary>What runs between the products.</summary>
    IOperations Operations => Device.Operations(Type);

    /// <summary>
    /// [S, 1, elements] of a vector. It belongs to the weights: do not dispose or change it, and use it before asking for more.
    /// </summary>
    Tensor Vector(Parameter parameter);

    /// <summary>[S, N, columns]: the rows of a looked-up matrix at int64 indices [N]. The caller's own.</summary>
    Tensor Rows(Parameter parameter, Tensor ids);

    /// <summary>x [S, N, columns] by a matrix [rows, columns] from the right, transposed, x·Wᵀ: [S, N, rows]. The caller's own.</summary>
    Tensor Multiply(Tensor x, Parameter matrix);

    /// <summary>
    /// x [S, N, rows] by a matrix [rows, columns] from the right, x·W: [S, N, columns]. Of layers that store a row for each input. The
    /// caller's own.
    /// </summary>
    Tensor MultiplyTransposed(Tensor x, Parameter matrix);

    /// <summary>
    /// <see cref="Multiply"/> by the output layer a number of rows at a time: [S, N, some rows], with the first one's index. The caller's
    /// own, to be disposed before the next.
    /// </summary>
    IEnumerable<(long FirstRow, Tensor Product)> MultiplyByRows(Tensor x, Parameter matrix);
}
