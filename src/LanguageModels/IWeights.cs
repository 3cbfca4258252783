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

    /// <summary>[S, 1, columns].</summary>
    Tensor Vector(Parameter parameter);

    /// <summary>[S, rows, columns], rows to be looked up.</summary>
    Tensor Table(Parameter parameter);

    /// <summary>[S, columns, rows]: a linear layer's weight transposed, to be multiplied from the right.</summary>
    Tensor Transposed(Parameter parameter);
}

/// <summary>Views of a parameter in a buffer, made once: each costs a call into libtorch and a finaliser.</summary>
internal sealed class WeightViews : IDisposable
{
    private readonly Tensor _sets;

    /// <param name="buffer">Flat float32 buffer.</param>
    /// <param name="parameter">Whose views.</param>
    /// <param name="offset">Where the first set begins.</param>
    /// <param name="sets">Sets that lie one behind the other.</param>
    public WeightViews(Tensor buffer, Parameter parameter, long offset, int sets)
    {
        using Tensor flat = buffer.narrow(0, offset, sets * parameter.Count);
        _sets = flat.view(sets, parameter.Rows, parameter.Columns).DetachFromDisposeScope();
        Transposed = _sets.transpose(1, 2).DetachFromDisposeScope();
    }

    /// <summary>[S, rows, columns]; of a vector [S, 1, columns].</summary>
    public Tensor Rows => _sets;

    /// <summary>[S, columns, rows].</summary>
    public Tensor Transposed { get; }

    public void Dispose()
    {
        Transposed.Dispose();
        _sets.Dispose();
    }
}
