using TorchSharp;

namespace FedKSeed.Cli.Bench;

/// <summary>
/// What the reference implementation of FedKSeed does for every seed: seed torch's generator, draw a normal for every weight, add it. A step
/// perturbs three times (+ε, −2ε, +ε) and updates once; a rebuild updates once for each of the K seeds.
/// </summary>
internal static class NaiveLoop
{
    /// <summary>Passes over the weights in which a step perturbs and restores them.</summary>
    public const int PerturbingPasses = 3;

    public const int Elements = 1 << 20, Seeds = 4;

    public static string Slice => $"torch.manual_seed and torch.normal a seed: {Elements >> 20} Mi elements × {Seeds} seeds";

    /// <summary>Element × seed pairs a second, on as many threads as torch has.</summary>
    public static double PairsPerSecond(RepeatedTiming timing)
    {
        using var weights = torch.zeros(Elements);
        return (double)Elements * Seeds / timing.Best(() =>
        {
            for (var seed = 0; seed < Seeds; seed++)
            {
                torch.manual_seed(seed); // of the shared generator, which is not ours to dispose
                using var direction = torch.normal(0, 1, [Elements]);
                weights.add_(direction, alpha: 1e-6f);
            }
        });
    }
}
