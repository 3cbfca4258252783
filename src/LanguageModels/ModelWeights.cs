using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

/// <summary>
/// All weights of one version of a model, float32, in one flat buffer. Made by <see cref="CausalLanguageModel"/>. Reading
/// is safe from several threads at once: one instance serves every worker of a process that starts from its version.
/// </summary>
public sealed class ModelWeights : IWeights, IDisposable
{
    private readonly Tensor _flat;
    private readonly WeightViews[] _views;
    private readonly nint _address;

    internal ModelWeights(WeightLayout layout)
    {
        Layout = layout;
        _flat = zeros(layout.Length, ScalarType.Float32).DetachFromDisposeScope();
        _address = _flat.storage<float>().data_ptr();
        _views = [.. layout.Parameters.Select(parameter => new WeightViews(_flat, parameter, parameter.Offset, sets: 1))];
    }

    internal WeightLayout Layout { get; }

    int IWeights.Sets => 1;

    Tensor IWeights.Vector(Parameter parameter) => _views[parameter.Index].Rows;

    Tensor IWeights.Table(Parameter parameter) => _views[parameter.Index].Rows;

    Tensor IWeights.Transposed(Parameter parameter) => _views[parameter.Index].Transposed;

    /// <summary>A tensor of the checkpoint as it is in this version, row-major.</summary>
    /// <exception cref="KeyNotFoundException">The model has no tensor of that name.</exception>
    public float[] Read(string tensorName)
    {
        foreach (Parameter parameter in Layout.Parameters)
        {
            foreach (PlacedTensor tensor in Layout.Tensors(parameter))
            {
                if (tensor.Source.Name == tensorName)
                    return Span(tensor.Offset, checked((int)tensor.Count)).ToArray();
            }
        }
        throw new KeyNotFoundException($"The model has no tensor {tensorName}.");
    }

    public void Dispose()
    {
        foreach (WeightViews views in _views)
            views.Dispose();
        _flat.Dispose();
    }

    /// <summary>The buffer's memory, which libtorch does not move while this instance lives.</summary>
    internal unsafe Span<float> Span(long offset, int length)
    {
        ObjectDisposedException.ThrowIf(_flat.IsInvalid, this);
        return new Span<float>((float*)_address + offset, length);
    }

    internal void CopyFrom(ModelWeights other)
    {
        if (!ReferenceEquals(other.Layout, Layout))
            throw new ArgumentException("The weights belong to another model.", nameof(other));
        for (long done = 0; done < Layout.Length;)
        {
            int count = (int)Math.Min(Layout.Length - done, 1 << 28);
            other.Span(done, count).CopyTo(Span(done, count));
            done += count;
        }
    }
}
