using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Weights;

/// <summary>Views of a parameter in a buffer, made once: each costs a call into libtorch and a finaliser.</summary>
public sealed class WeightViews : IDisposable
{
    /// <param name="buffer">Where the weights lie.</param>
    /// <param name="offset">Where the first set begins.</param>
    /// <param name="sets">Sets that lie one behind the other.</param>
    /// <param name="rows">Of one set; of a vector, its elements.</param>
    /// <param name="columns">1 for a vector.</param>
    public WeightViews(WeightBuffer buffer, long offset, int sets, long rows, long columns)
    {
        ArgumentNullException.ThrowIfNull(buffer);
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
