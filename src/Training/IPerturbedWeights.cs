using FedKSeed.LanguageModels.Weights;

namespace FedKSeed.Training;

/// <summary>
/// Both signs of a direction around weights that move, S = 2, and the move of one step that may be put off until the next reads them.
/// </summary>
internal interface IPerturbedWeights : IWeights, IDisposable
{
    /// <summary>Whether the version that it was reset to is read from then on, and not copied: it must outlast that.</summary>
    bool SharesVersion { get; }

    /// <summary>w, after every move. What is given is the weights' own, and good until the next move.</summary>
    ModelWeights Current { get; }

    /// <summary>Goes to a version, forgetting every move.</summary>
    void Reset(ModelWeights version);

    /// <summary>From here on the weights are perturbed along this seed's direction.</summary>
    void Perturb(int seed, float epsilon);

    /// <summary>w ← w + step·z, to be done when w is next read, or never written down.</summary>
    void Move(int seed, float step);
}
