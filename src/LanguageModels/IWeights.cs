using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

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

    /// <summary>[S, 1, elements] of a vector.</summary>
    Tensor Vector(Parameter parameter);

    /// <summary>[S, rows, columns] as stored: rows to be looked up, or a layer that stores its inputs by rows.</summary>
    Tensor Matrix(Parameter parameter);

    /// <summary>[S, columns, rows]: a linear layer's weight transposed, to be multiplied from the right.</summary>
    Tensor Transposed(Parameter parameter);
}

/// <summary>Views of a parameter in a buffer, made once: each costs a call into libtorch and a finaliser.</summary>
internal sealed class WeightViews : IDisposable
{
    /// <param name="buffer">Where the weights lie.</param>
    /// <param name="parameter">Whose views.</param>
    /// <param name="offset">Where the first set begins.</param>
    /// <param name="sets">Sets that lie one behind the other.</param>
    public WeightViews(WeightBuffer buffer, Parameter parameter, long offset, int sets)
    {
        using Tensor flat = buffer.Tensor.narrow(0, offset, sets * parameter.Count);
        Matrix = flat.view(sets, parameter.Rows, parameter.Columns).DetachFromDisposeScope();
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
