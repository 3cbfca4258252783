using FedKSeed.LanguageModels.Devices;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Weights;

/// <summary>
/// All weights of one version of a model in one flat buffer of a compute type. Made by <see cref="CausalLanguageModel"/>. Reading
/// is safe from several threads at once: one instance serves every worker of a process that starts from its version.
/// </summary>
public sealed class ModelWeights : IWeights, IDisposable
{
    private readonly WeightViews[] _views;

    /// <param name="layout">Which parameter lies where.</param>
    /// <param name="type">Of every weight; what they hold is undefined.</param>
    /// <param name="device">Where they lie.</param>
    public ModelWeights(WeightLayout layout, ComputeType type, ModelDevice device)
    {
        Layout = layout;
        Buffer = new WeightBuffer(layout.Length, type, device);
        _views = [.. layout.Parameters
            .Select(parameter => new WeightViews(Buffer, parameter.Offset, sets: 1, parameter.Rows, parameter.Columns))];
    }

    /// <summary>What the weights are kept and computed with in.</summary>
    public ComputeType Type => Buffer.Type;

    /// <summary>Where they lie.</summary>
    public ModelDevice Device => Buffer.Device;

    /// <summary>Which parameter lies where.</summary>
    public WeightLayout Layout { get; }

    /// <summary>The weights themselves.</summary>
    public WeightBuffer Buffer { get; }

    /// <summary>[1, rows, columns]. It belongs to the weights: do not dispose or change it.</summary>
    public Tensor Matrix(Parameter parameter)
    {
        ArgumentNullException.ThrowIfNull(parameter);
        return _views[parameter.Index].Matrix;
    }

    int IWeights.Sets => 1;

    Tensor IWeights.Vector(Parameter parameter) => _views[parameter.Index].Transposed;

    Tensor IWeights.Rows(Parameter parameter, Tensor ids) => _views[parameter.Index].Matrix.index_select(1, ids);

    Tensor IWeights.Multiply(Tensor x, Parameter matrix) => bmm(x, _views[matrix.Index].Transposed);

    Tensor IWeights.MultiplyTransposed(Tensor x, Parameter matrix) => bmm(x, _views[matrix.Index].Matrix);

    IEnumerable<(long FirstRow, Tensor Product)> IWeights.MultiplyByRows(Tensor x, Parameter matrix) =>
        [(0, bmm(x, _views[matrix.Index].Transposed))];

    /// <summary>A tensor of the checkpoint as it is in this version, row-major.</summary>
    /// <exception cref="KeyNotFoundException">The model has no tensor of that name.</exception>
    public float[] Read(string tensorName)
    {
        foreach (var parameter in Layout.Parameters)
        {
            foreach (var tensor in Layout.Tensors(parameter))
            {
                if (tensor.Source.Name != tensorName)
                    continue;
                var values = new float[tensor.Count];
                Buffer.Read(tensor.Offset, values);
                return values;
            }
        }
        throw new KeyNotFoundException($"The model has no tensor {tensorName}.");
    }

    public void Dispose()
    {
        foreach (var views in _views)
            views.Dispose();
        Buffer.Dispose();
    }

    /// <summary>Takes the weights of another version: of the same type, or of any where this one is float32; on whatever device.</summary>
    public void CopyFrom(ModelWeights other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (!ReferenceEquals(other.Layout, Layout))
            throw new ArgumentException("The weights belong to another model.", nameof(other));
        Buffer.CopyFrom(other.Buffer);
    }
}
