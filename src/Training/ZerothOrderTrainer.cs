using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Weights;

namespace FedKSeed.Training;

/// <summary>What a step came to.</summary>
/// <param name="LossPlus">L(w + ε·z), mean over the batch's label tokens, in nats.</param>
/// <param name="LossMinus">L(w − ε·z).</param>
/// <param name="Scalar">The projected gradient g = (L⁺ − L⁻) / 2ε; null where a loss is not finite: the step was skipped.</param>
public readonly record struct StepResult(double LossPlus, double LossMinus, float? Scalar)
{
    /// <summary>Whether the weights stayed as they were because a loss was not finite.</summary>
    public bool Skipped => Scalar is null;
}

/// <summary>
/// Zeroth-order local training (SPEC 4) on a private copy of the weights, on the CPU float32 whatever the model computes in: each step
/// runs both signs in one forward pass and moves the weights along one seed's direction. The move itself is put off until the next step
/// reads the weights, or
/// <see cref="Weights"/> is asked for. Not thread-safe: one per worker; several may run at once on one model.
/// </summary>
public sealed class ZerothOrderTrainer : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly ModelWeights _weights;
    private readonly IPerturbedWeights _perturbed;

    /// <summary>A trainer that stands at the base model, on the model's device.</summary>
    /// <param name="model">The model.</param>
    /// <param name="pool">Where the directions come from.</param>
    /// <param name="keepsFloat32">
    /// Whether a device, too, keeps the weights in float32 where the model computes in 16 bits: twice the memory, and then the very weights
    /// of the CPU. If not, they are kept in 16 bits and updates are rounded stochastically.
    /// </param>
    public ZerothOrderTrainer(CausalLanguageModel model, DirectionSpace pool, bool keepsFloat32 = false)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(pool);
        (_model, Pool) = (model, pool);
        var isOnDevice = model.Device.Kernels is not null;
        _weights = isOnDevice && !keepsFloat32 ? model.BaseWeights() : model.WideBaseWeights();
        _perturbed = isOnDevice
            ? new DevicePerturbedWeights(_weights, pool, model.ComputeType, model.Decoder)
            : new PerturbedWeights(_weights, pool, model.ComputeType);
    }

    public DirectionSpace Pool { get; }

    /// <summary>The weights after all steps so far. They are the trainer's own and change with its next step.</summary>
    public ModelWeights Weights
    {
        get
        {
            _perturbed.Flush();
            return _weights;
        }
    }

    /// <summary>Goes back to a version of the model, forgetting every step: a copy of memory, no more.</summary>
    public void Reset(ModelWeights version)
    {
        ArgumentNullException.ThrowIfNull(version);
        _perturbed.Forget();
        _weights.CopyFrom(version);
    }

    /// <summary>One step: g along direction <paramref name="seed"/>, then w ← w − η·g·z.</summary>
    /// <param name="batch">The examples.</param>
    /// <param name="seed">Seed index in <see cref="Pool"/>.</param>
    /// <param name="epsilon">ε, the distance of the two points from w.</param>
    /// <param name="learningRate">η.</param>
    public StepResult Step(TokenBatch batch, int seed, float epsilon, double learningRate)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(epsilon);
        _perturbed.Perturb(seed, epsilon);
        var losses = _model.Losses(_perturbed, batch);
        _perturbed.Flush(); // nothing is left unless the pass of the previous step was broken off
        var scalar = (float)((losses[0] - losses[1]) / (2.0 * epsilon));
        var step = (float)(-learningRate * scalar);
        if (!float.IsFinite(scalar) || !float.IsFinite(step))
            return new StepResult(losses[0], losses[1], null);
        _perturbed.Postpone(seed, step);
        return new StepResult(losses[0], losses[1], scalar);
    }

    public void Dispose()
    {
        _perturbed.Dispose();
        _weights.Dispose();
    }
}
