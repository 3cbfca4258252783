using TorchSharp;

namespace FedKSeed.Bench;

/// <summary>
/// What the reference implementation of FedKSeed does for every seed: seed torch's generator, draw a normal for every weight, add it. A
/// step perturbs three times (+ε, −2ε, +ε) and updates once; a rebuild updates once for each of the K seeds.
/// </summary>
internal static class NaiveLoop
{
    /// <summary>Passes over the weights in which a step perturbs and restores them.</summary>
    public const int PerturbingPasses = 3;

    private const int Seeds = 4;

    /// <summary>Element × seed pairs a second, on as many threads as torch has.</summary>
    public static double PairsPerSecond(RepeatedTiming timing, torch.Device device, int elements)
    {
        var type = device.type == DeviceType.CPU ? torch.ScalarType.Float32 : torch.ScalarType.BFloat16;
        using var weights = torch.zeros([elements], type, device);
        return (double)elements * Seeds / timing.Best(() =>
        {
            for (var seed = 0; seed < Seeds; seed++)
            {
                torch.manual_seed(seed); // of the shared generator, which is not ours to dispose
                using var direction = torch.normal(0, 1, [elements], type, device);
                weights.add_(direction, alpha: 1e-6f);
            }
            using var last = weights.narrow(0, 0, 1).cpu(); // waits for a card
        });
    }

    public static string Slice(int elements) => $"torch.manual_seed and torch.normal a seed: {elements >> 20} Mi elements × {Seeds} seeds";
}
