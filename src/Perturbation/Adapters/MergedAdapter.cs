using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;

namespace FedKSeed.Perturbation.Adapters;

/// <summary>
/// An adapter as a part of its base's own weights (SPEC 13): W + (α/r)·B·A in float32, the sum over r from left to right, each term one fused
/// multiply-add; or biases, which config.json then says that the model has. Immutable.
/// </summary>
public sealed class MergedAdapter
{
    private readonly Dictionary<string, (LinearLayer Layer, float[] A, float[] B)> _byTensor = [];
    private readonly int _rank;
    private readonly float _scale;

    /// <param name="content">The adapter with the values to be merged.</param>
    /// <param name="source">Its base.</param>
    /// <exception cref="FormatException">It cannot be merged, or is not of this base.</exception>
    public MergedAdapter(AdapterContent content, Checkpoint source)
    {
        ArgumentNullException.ThrowIfNull(content);
        ArgumentNullException.ThrowIfNull(source);
        var adapter = content.Adapter;
        if (adapter.Kind == AdapterKind.Prompt)
            throw new FormatException("A prompt cannot be merged into its base: no weights do what virtual tokens before a text do.");
        (_rank, _scale) = (adapter.Rank, (float)(adapter.Alpha / adapter.Rank));
        var values = content.Tensors.ToDictionary(tensor => tensor.Name);
        List<TensorContent> biases = [];
        foreach (var layer in LinearLayer.All(source))
        {
            if (values.TryGetValue(layer.Name + AdapterContent.SuffixA, out var a)
                && values.TryGetValue(layer.Name + AdapterContent.SuffixB, out var b))
            {
                AdapterContent.RequireShapes(source, layer, a, b, _rank);
                _byTensor[layer.Weight.Name] = (layer, Floats(a), Floats(b));
            }
            if (adapter.Kind == AdapterKind.Bias && values.TryGetValue(layer.Name + AdapterContent.SuffixBias, out var bias))
                biases.Add(InTypeOf(layer.Weight, bias));
        }
        Biases = biases;
    }

    /// <summary>Tensors that the base does not have, each in the type of its layer's weight.</summary>
    public IReadOnlyList<TensorContent> Biases { get; }

    /// <summary>Whether a tensor of the base takes something.</summary>
    public bool Changes(CheckpointTensor tensor) => _byTensor.ContainsKey(tensor.Name);

    /// <summary>Adds what a range of a tensor takes.</summary>
    /// <param name="tensor">Of the base.</param>
    /// <param name="firstElement">Where the range begins.</param>
    /// <param name="weights">The range, W in float32.</param>
    public void Add(CheckpointTensor tensor, long firstElement, Span<float> weights)
    {
        var (layer, a, b) = _byTensor[tensor.Name];
        var columns = tensor.Columns;
        for (var i = 0; i < weights.Length; i++)
        {
            var (row, column) = Math.DivRem(firstElement + i, columns);
            var (output, input) = layer.IsTransposed ? (column, row) : (row, column);
            var sum = 0f;
            for (var rho = 0; rho < _rank; rho++)
                sum = MathF.FusedMultiplyAdd(b[output * _rank + rho], a[rho * layer.Inputs + input], sum);
            weights[i] = MathF.FusedMultiplyAdd(_scale, sum, weights[i]);
        }
    }

    /// <summary>Has config.json say so where layers have biases now.</summary>
    /// <param name="folder">Where a copy of the base's lies.</param>
    public void WriteConfiguration(string folder)
    {
        if (Biases.Count == 0)
            return;
        var path = Path.Combine(folder, BaseConfig.FileName);
        var config = JsonNode.Parse(File.ReadAllBytes(path))!.AsObject();
        (config["attention_bias"], config["mlp_bias"]) = (true, true);
        var text = config.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" });
        using var file = new AtomicFile(path, 0);
        file.Stream.Write(Encoding.UTF8.GetBytes(text + "\n"));
        file.Commit();
    }

    internal static float[] Floats(TensorContent tensor)
    {
        var values = new float[tensor.Bytes.Length / tensor.Type.Size()];
        tensor.Type.Widen(tensor.Bytes.Span, values);
        return values;
    }

    private static TensorContent InTypeOf(CheckpointTensor weight, TensorContent bias)
    {
        var bytes = new byte[bias.Bytes.Length / bias.Type.Size() * weight.Type.Size()];
        weight.Type.Narrow(Floats(bias), bytes);
        return bias with { Type = weight.Type, Bytes = bytes };
    }
}
