using FedKSeed.LanguageModels.Devices;
using TorchSharp;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Weights;

/// <summary>
/// Weights with an adapter, as a decoder sees them: it asks for a product and gets the adapted one. The one place where adapters are
/// computed, whatever the weights beneath: one version's, or both signs of a step, written down or not.
/// <code>
/// LoRA     y = x·Wᵀ + (α/r)·(x·Aᵀ)·Bᵀ
/// Bias     y = x·Wᵀ + b
/// Prompt   ids behind the vocabulary are looked up in the prompt
/// </code>
/// </summary>
internal sealed class AdaptedWeights(IWeights inner, AdapterLayers layers) : IWeights
{
    public int Sets => inner.Sets;

    public ComputeType Type => inner.Type;

    public ModelDevice Device => inner.Device;

    public IOperations Operations => inner.Operations;

    public Tensor Vector(Parameter parameter) => inner.Vector(parameter);

    public Tensor Multiply(Tensor x, Parameter matrix) => Adapted(inner.Multiply(x, matrix), x, matrix);

    public Tensor MultiplyTransposed(Tensor x, Parameter matrix) => Adapted(inner.MultiplyTransposed(x, matrix), x, matrix);

    // The output layer has no adapter.
    public IEnumerable<(long FirstRow, Tensor Product)> MultiplyByRows(Tensor x, Parameter matrix) => inner.MultiplyByRows(x, matrix);

    public Tensor Rows(Parameter parameter, Tensor ids)
    {
        if (layers.Prompt is null || parameter != layers.Embedding)
            return inner.Rows(parameter, ids);
        using var scope = NewDisposeScope();
        // As tensors: numbers that torch is handed on the fly are objects, which a collection may free in the middle of the call.
        Tensor zeros = zeros_like(ids), shift = tensor([-(long)layers.FirstVirtualToken], device: ids.device);
        var shifted = ids.Plus(shift); // [N]
        var isVirtual = shifted.ge(zeros); // [N]
        var prompt = inner.Rows(layers.Prompt, where(isVirtual, shifted, zeros)); // [S, N, H]
        var embedded = inner.Rows(parameter, where(isVirtual, zeros, ids)); // [S, N, H]
        return where(isVirtual.view(1, -1, 1), prompt, embedded).MoveToOuterDisposeScope();
    }

    /// <summary>y [S, N, out] with what the adapter adds, in its memory where it has as many sets.</summary>
    private Tensor Adapted(Tensor y, Tensor x, Parameter matrix)
    {
        if (layers.LowRankOf(matrix) is { } lowRank)
        {
            using Scalar scale = layers.Scale;
            var seen = inner.Multiply(x, lowRank.Seen); // [S, N, parts·r]
            for (var k = 0; k < lowRank.Parts.Count; k++)
            {
                var part = lowRank.Parts[k];
                var added = inner.Multiply(seen.narrow(2, (long)k * part.Weight.Columns, part.Weight.Columns), part.Weight); // [S, N, out]
                y = y.InSets(added.shape[0]);
                y.narrow(2, part.FirstRow, part.Rows).add_(added, scale);
            }
        }
        return layers.BiasOf(matrix) is { } bias ? y.PlusSets(inner.Vector(bias)) : y;
    }
}
