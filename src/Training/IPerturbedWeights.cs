using FedKSeed.LanguageModels.Weights;

namespace FedKSeed.Training;

/// <summary>
/// Both signs of a direction around weights that move, S = 2, and the move of one step that may be put off until the next reads them.
/// </summary>
internal interface IPerturbedWeights : IWeights, IDisposable
{
    /// <summary>From here on the weights are perturbed along this seed's direction.</summary>
    void Perturb(int seed, float epsilon);

    /// <summary>Leaves w ← w + step·z to be done when w is next read. Whatever was pending must be flushed before.</summary>
    void Postpone(int seed, float step);

    /// <summary>Does what is left of the pending update.</summary>
    void Flush();

    /// <summary>Drops the pending update: w is about to be replaced.</summary>
    void Forget();
}
