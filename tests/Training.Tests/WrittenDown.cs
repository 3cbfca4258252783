using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Training.Objectives;
using TorchSharp;

namespace FedKSeed.Training.Tests;

/// <summary>Weights that are perturbed and moved one element after the other, in float64.</summary>
internal sealed class WrittenDown : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly DirectionSpace _pool;
    private readonly ModelWeights _weights;
    private readonly float _epsilon;
    private readonly Dictionary<string, double[]> _values;

    /// <param name="model">In float64.</param>
    /// <param name="epsilon">ε.</param>
    public WrittenDown(CausalLanguageModel model, DirectionSpace pool, float epsilon = 1e-3f)
    {
        (_model, _pool, _weights, _epsilon) = (model, pool, model.BaseWeights(), epsilon);
        _values = model.Checkpoint.Weights.ToDictionary(
            tensor => tensor.Name, tensor => Array.ConvertAll(tensor.ToArray(), value => (double)value));
    }

    public double Scalar(TokenBatch batch, int seed) =>
        (Loss(batch, seed, _epsilon) - Loss(batch, seed, -_epsilon)) / (2.0 * _epsilon);

    public void Move(int seed, float step) => Advance(seed, step, _values);

    public void Dispose() => _weights.Dispose();

    private double Loss(TokenBatch batch, int seed, double distance)
    {
        var perturbed = _values.ToDictionary(pair => pair.Key, pair => (double[])pair.Value.Clone());
        Advance(seed, distance, perturbed);
        foreach (var parameter in _weights.Layout.Parameters)
            foreach (var tensor in _weights.Layout.Tensors(parameter))
            {
                using var values = torch.tensor(perturbed[tensor.Source.Name]);
                using var place = _weights.Buffer.Tensor.narrow(0, tensor.Offset, tensor.Count);
                place.copy_(values);
            }
        return _model.Measure(_weights, batch, ObjectiveCatalogue.Default.Measure)[0];
    }

    private void Advance(int seed, double distance, Dictionary<string, double[]> all)
    {
        foreach (var tensor in _model.Checkpoint.Weights)
        {
            var direction = _pool.Direction(seed, tensor.Ordinal!.Value, tensor.Columns);
            var values = all[tensor.Name];
            for (var at = 0; at < values.Length; at++)
            {
                var sum = values[at] + direction.Value(at) * Math.ScaleB(distance, direction.Of.Exponent);
                // What has no structure is kept in float32 (SPEC 4).
                values[at] = direction.Of.Rank == 0 ? (float)sum : sum;
            }
        }
    }
}
