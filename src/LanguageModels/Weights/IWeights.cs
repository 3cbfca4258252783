using FedKSeed.LanguageModels.Devices;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Weights;

/// <summary>
/// The weights as the forward pass sees them: S sets side by side, one for a plain pass and two for both signs of a
/// zeroth-order step. A tensor is good until the next one is asked for, and belongs to the weights: never dispose it.
/// </summary>
internal interface IWeights
{
    /// <summary>S, the leading axis of every weight and every activation.</summary>
    int Sets { get; }

    /// <summary>The type of every weight, and so of the activations.</summary>
    ComputeType Type { get; }

    /// <summary>Where weights and activations lie.</summary>
    ModelDevice Device { get; }

    /// <summary>What runs between the products.</summary>
    IOperations Operations => Device.Operations(Type);

    /// <summary>[S, 1, elements] of a vector.</summary>
    Tensor Vector(Parameter parameter);

    /// <summary>[S, rows, columns] as stored: a layer that stores its inputs by rows.</summary>
    Tensor Matrix(Parameter parameter);

    /// <summary>[S, N, columns]: the rows of these int64 indices [N]. The caller's own, unlike the others.</summary>
    Tensor Rows(Parameter parameter, Tensor ids);

    /// <summary>[S, columns, rows]: a linear layer's weight transposed, to be multiplied from the right.</summary>
    Tensor Transposed(Parameter parameter);

    /// <summary>The output layer transposed, [S, columns, rows], a number of rows at a time, with the first one's index.</summary>
    IEnumerable<(long FirstRow, Tensor Transposed)> TransposedByRows(Parameter parameter);
}

/// <summary>
/// Both signs of a direction around weights that move, S = 2, and the move of one step that may be put off until the next reads them.
/// </summary>
internal interface IPerturbedWeights : IWeights, IDisposable
{
    /// <summary>From here on the weights are perturbed along this seed's direction.</summary>
    void Perturb(int seed, float epsilon);

    /// <summary>Leaves w ← w + step·z to be done when w is next read. Whatever was pending must be flushed before.</summary>
    void Postpone(int seed, float step);

    /// <summary>Does what is left of the pending update.</summary>
    void Flush();

    /// <summary>Drops the pending update: w is about to be replaced.</summary>
    void Forget();
}

/// <summary>Views of a parameter in a buffer, made once: each costs a call into libtorch and a finaliser.</summary>
internal sealed class WeightViews : IDisposable
{
    /// <param name="buffer">Where the weights lie.</param>
    /// <param name="offset">Where the first set begins.</param>
    /// <param name="sets">Sets that lie one behind the other.</param>
    public WeightViews(WeightBuffer buffer, long offset, int sets, long rows, long columns)
    {
        using var flat = buffer.Tensor.narrow(0, offset, sets * rows * columns);
        Matrix = flat.view(sets, rows, columns).DetachFromDisposeScope();
        Transposed = Matrix.transpose(1, 2).DetachFromDisposeScope();
    }

    /// <summary>[S, rows, columns].</summary>
    public Tensor Matrix { get; }

    /// <summary>[S, columns, rows]; of a vector [S, 1, elements].</summary>
    public Tensor Transposed { get; }

    public void Dispose()
    {
        Transposed.Dispose();
        Matrix.Dispose();
    }
}
