using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Weights;

namespace FedKSeed.ClientWorker;

/// <summary>
/// The weights of a version, for as long as anybody reads them: whoever holds it lets go of it, and the last one frees it. Safe to call
/// from any thread.
/// </summary>
internal sealed class SharedVersion(ModelVersion version, ModelWeights weights)
{
    private int _holders = 1;

    public ModelVersion Version { get; } = version;

    public ModelWeights Weights { get; } = weights;

    /// <summary>One holder more; by one who knows that there is another.</summary>
    public SharedVersion Hold()
    {
        Interlocked.Increment(ref _holders);
        return this;
    }

    public void LetGo()
    {
        if (Interlocked.Decrement(ref _holders) == 0)
            Weights.Dispose();
    }
}
