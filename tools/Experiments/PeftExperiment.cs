using FedKSeed.Contracts;
using FedKSeed.Federation;

namespace FedKSeed.Experiments;

/// <summary>FedPEFT (arXiv 2210.01708) in terms of seeds and scalars: which part of a model to tune, with how many directions.</summary>
internal static class PeftExperiment
{
    private const int Large = 4096, Small = 512;
    private static readonly double[] Shares = [0.3, 0.6];

    // Rates grow where fewer numbers are tuned. Found by a few runs with key 1, so that the best of five lies within.
    private static readonly Mask[] Masks =
    [
        new("full", ["all"], [2e-4, 3e-4, 4.5e-4, 6e-4, 9e-4]),
        new("attention", ["attention"], [4e-4, 7e-4, 1.2e-3, 1.7e-3, 2.4e-3]),
        new("last 2 layers", ["layers:-2"], [1.2e-3, 1.8e-3, 2.4e-3, 3.6e-3, 4.8e-3]),
        new("norm", ["norm"], [0.05, 0.1, 0.15, 0.2, 0.4]),
        new("head", ["head"], [5e-4, 1e-3, 2e-3, 3e-3, 4e-3]),
    ];

    private sealed record Mask(string Name, string[] Parts, double[] Rates);

    public static Experiment Create() => new(
        "peft",
        "Which part of a model is worth tuning, with how many directions, and how does it do when clients fail?",
        // The largest rates times the usual limit of a scalar would be more than a contribution may be.
        new FederationSettings { Rounds = 20, Synchronous = true, EvaluateEvery = 0, Keep = KeptVersion.Last, MaximumScalar = 1000 },
        [
            .. Masks.Select(mask => ArmOf(mask, Large)),
            .. Masks.Where(mask => mask.Name == "full").SelectMany(mask => Shares.Select(share => Failing(ArmOf(mask, Large), share))),
            .. Masks.Select(mask => ArmOf(mask, Small)),
        ],
        Keys: 3);

    private static Arm ArmOf(Mask mask, int seeds) => new(
        $"{mask.Name}, K {seeds}",
        settings => settings with
        {
            Directions = settings.Directions with { SeedCount = seeds, Trainable = Trainable(mask.Parts) },
        })
    {
        Rates = mask.Rates,
    };

    /// <summary>All tensors is what is said by saying nothing.</summary>
    private static TensorGroup[]? Trainable(string[] parts) => parts is ["all"] ? null : [new TensorGroup { Tensors = parts }];

    private static Arm Failing(Arm arm, double share) => new(
        $"{arm.Name}, {share:P0} fail", settings => arm.Change(settings) with { Dropout = share })
    {
        RateOf = arm.Name,
    };
}
