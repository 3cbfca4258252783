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
        new("full", space => space, [2e-4, 3e-4, 4.5e-4, 6e-4, 9e-4]),
        new("attention", Part("attention"), [4e-4, 7e-4, 1.2e-3, 1.7e-3, 2.4e-3]),
        new("last 2 layers", Part("layers:-2"), [1.2e-3, 1.8e-3, 2.4e-3, 3.6e-3, 4.8e-3]),
        new("norm", Part("norm"), [0.05, 0.1, 0.15, 0.2, 0.4]),
        new("bias", With(new Adapter { Kind = AdapterKind.Bias }), [0.03, 0.06, 0.1, 0.15, 0.25]),
        new("LoRA r 8, B", With(new Adapter { Kind = AdapterKind.Lora }), [0.01, 0.02, 0.04, 0.06, 0.09]),
        new("LoRA r 8, A and B", With(new Adapter { Kind = AdapterKind.Lora, TrainA = true }), [1e-3, 1.5e-3, 2e-3, 3e-3, 4.5e-3]),
        new("prompt 8", With(new Adapter { Kind = AdapterKind.Prompt }), [0.02, 0.03, 0.045, 0.06, 0.1]),
        new("head", Part("head"), [5e-4, 1e-3, 2e-3, 3e-3, 4e-3]),
    ];

    private static readonly string[] Failed = ["full", "bias", "LoRA r 8, B"];

    private sealed record Mask(string Name, Func<DirectionSpace, DirectionSpace> Change, double[] Rates);

    public static Experiment Create() => new(
        "peft",
        "Which part of a model is worth tuning, with how many directions, and how does it do when clients fail?",
        // The largest rates times the usual limit of a scalar would be more than a contribution may be.
        new FederationSettings { Rounds = 20, Synchronous = true, EvaluateEvery = 0, Keep = KeptVersion.Last, MaximumScalar = 1000 },
        [
            .. Masks.Select(mask => ArmOf(mask, Large)),
            .. Masks.Where(mask => Failed.Contains(mask.Name))
                .SelectMany(mask => Shares.Select(share => Failing(ArmOf(mask, Large), share))),
            .. Masks.Select(mask => ArmOf(mask, Small)),
        ],
        Keys: 3);

    private static Arm ArmOf(Mask mask, int seeds) => new(
        $"{mask.Name}, K {seeds}",
        settings => settings with { Directions = mask.Change(settings.Directions with { SeedCount = seeds }) })
    {
        Rates = mask.Rates,
    };

    private static Func<DirectionSpace, DirectionSpace> Part(string word) =>
        space => space with { Trainable = [new TensorGroup { Tensors = [word] }] };

    private static Func<DirectionSpace, DirectionSpace> With(Adapter adapter) => space => space with { Adapter = adapter };

    private static Arm Failing(Arm arm, double share) => new(
        $"{arm.Name}, {share:P0} fail", settings => arm.Change(settings) with { Dropout = share })
    {
        RateOf = arm.Name,
    };
}
