using FedKSeed.Contracts;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Training.Objectives;

namespace FedKSeed.Training;

/// <summary>The two losses around w along one direction; it moved nothing.</summary>
/// <param name="LossPlus">L(w + ε·z), the objective's value: of cross-entropy the mean over the batch's label tokens, in nats.</param>
/// <param name="LossMinus">L(w − ε·z).</param>
/// <param name="Scalar">The projected gradient g = (L⁺ − L⁻) / 2ε, rounded to float32; not finite where a loss is not.</param>
public readonly record struct Probe(double LossPlus, double LossMinus, float Scalar);

/// <summary>What a step came to.</summary>
/// <param name="LossPlus">L(w + ε·z), the objective's value: of cross-entropy the mean over the batch's label tokens, in nats.</param>
/// <param name="LossMinus">L(w − ε·z).</param>
/// <param name="Scalar">The projected gradient that w moved along; null where the step was skipped, and w is where it was.</param>
public readonly record struct StepResult(double LossPlus, double LossMinus, float? Scalar)
{
    /// <summary>Whether the weights stayed as they were because the scalar was not finite or beyond the limit.</summary>
    public bool Skipped => Scalar is null;
}

/// <summary>
/// Zeroth-order local training (SPEC 4): each step is a probe, both signs in one forward pass, and a move along one seed's direction.
/// What moves without structure is a copy of its own, on the CPU float32 whatever the model computes in; its move is put off until the next
/// probe reads the weights, or <see cref="Weights"/> is asked for. Not thread-safe: one per worker; several may run at once on one model.
/// </summary>
public sealed class ZerothOrderTrainer : IDisposable
{
    private readonly CausalLanguageModel _model;
    private readonly PerturbedWeights _perturbed;

    /// <summary>A trainer that stands at the base model, on the model's device.</summary>
    /// <param name="model">The model.</param>
    /// <param name="pool">Where the directions come from.</param>
    /// <param name="keepsFloat32">
    /// Whether a device, too, keeps what moves without structure in float32 where the model computes in 16 bits: twice the memory, and then
    /// the very weights of the CPU. If not, they are kept in 16 bits and updates are rounded stochastically.
    /// </param>
    /// <param name="objective">The name of what its steps measure, in <see cref="ObjectiveCatalogue"/>; null is cross-entropy.</param>
    /// <exception cref="FormatException">There is no such objective.</exception>
    public ZerothOrderTrainer(CausalLanguageModel model, DirectionSpace pool, bool keepsFloat32 = false, string? objective = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(pool);
        (_model, Pool) = (model, pool);
        Objective = objective is null ? ObjectiveCatalogue.Default : ObjectiveCatalogue.Named(objective);
        _perturbed = new PerturbedWeights(model, pool, keepsFloat32);
    }

    /// <summary>Whose versions it moves.</summary>
    public CausalLanguageModel Model => _model;

    /// <summary>Where its directions come from.</summary>
    public DirectionSpace Pool { get; }

    /// <summary>What its steps measure.</summary>
    public IObjective Objective { get; }

    /// <summary>The weights after all steps so far, written down in float32. They are the trainer's own: ask again after a step.</summary>
    public ModelWeights Weights => _perturbed.Current;

    /// <summary>
    /// Whether the version that it was reset to is read by every step, and not copied: it must not be disposed, nor change, before the
    /// next reset. So it is where some tensors are frozen or move along directions of low rank.
    /// </summary>
    public bool SharesVersion => _perturbed.SharesVersion;

    /// <summary>Goes back to a version of the model, forgetting every step: a copy of what moves without structure, no more.</summary>
    public void Reset(ModelWeights version)
    {
        ArgumentNullException.ThrowIfNull(version);
        _perturbed.Reset(version);
    }

    /// <summary>
    /// One step: g along direction <paramref name="seed"/>, then w ← w − η·g·z; or no move at all where g may not be reported. The limit
    /// is applied here and nowhere else in a worker: what is not reported did not happen.
    /// </summary>
    /// <param name="batch">The examples.</param>
    /// <param name="seed">Seed index in <see cref="Pool"/>.</param>
    /// <param name="epsilon">ε, the distance of the two points from w.</param>
    /// <param name="learningRate">η.</param>
    /// <param name="maximumScalar">Largest |g| that may be reported.</param>
    public StepResult Step(TokenBatch batch, int seed, float epsilon, double learningRate, double maximumScalar = double.PositiveInfinity)
    {
        var probe = Probe(batch, seed, epsilon);
        var scalar = probe.Scalar;
        var isReported = float.IsFinite(scalar) && Math.Abs(scalar) <= maximumScalar && float.IsFinite(Distance(scalar, learningRate));
        if (!isReported)
            return new StepResult(probe.LossPlus, probe.LossMinus, null);
        Move(seed, scalar, learningRate);
        return new StepResult(probe.LossPlus, probe.LossMinus, scalar);
    }

    /// <summary>Looks both ways along direction <paramref name="seed"/>; w stays where it is.</summary>
    /// <param name="batch">The examples.</param>
    /// <param name="seed">Seed index in <see cref="Pool"/>.</param>
    /// <param name="epsilon">ε, the distance of the two points from w.</param>
    public Probe Probe(TokenBatch batch, int seed, float epsilon)
    {
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(epsilon);
        _perturbed.Perturb(seed, epsilon);
        var losses = _model.Measure(_perturbed, batch, Objective.Measure);
        return new Probe(losses[0], losses[1], (float)((losses[0] - losses[1]) / (2.0 * epsilon)));
    }

    /// <summary>w ← w − η·g·z along direction <paramref name="seed"/>.</summary>
    /// <param name="seed">Seed index in <see cref="Pool"/>.</param>
    /// <param name="scalar">g.</param>
    /// <param name="learningRate">η.</param>
    /// <exception cref="ArgumentOutOfRangeException">The product η·g is not finite in float32.</exception>
    public void Move(int seed, float scalar, double learningRate)
    {
        var distance = Distance(scalar, learningRate);
        if (!float.IsFinite(distance))
            throw new ArgumentOutOfRangeException(nameof(scalar), scalar, $"No move of {learningRate} times this scalar is finite.");
        _perturbed.Move(seed, distance);
    }

    public void Dispose() => _perturbed.Dispose();

    private static float Distance(float scalar, double learningRate) => (float)(-learningRate * scalar);
}
