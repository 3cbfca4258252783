using FedKSeed.Federation;
using FedKSeed.Federation.Rates;

namespace FedKSeed.Experiments;

/// <summary>FedMeZO (arXiv 2402.05926) in terms of seeds and scalars: a learning rate of each client's own, and whom it serves.</summary>
internal static class ClientRatesExperiment
{
    /// <summary>Half the default.</summary>
    private static readonly double[] Rate = [3e-4];

    public static Experiment Create() => new(
        "client-rates",
        "Whom does a learning rate of each client's own serve, where clients differ?",
        new FederationSettings { Rounds = 20, Synchronous = true, EvaluateEvery = 0, Keep = KeptVersion.Last },
        [
            Of("none", ClientRateRule.None, ClientRateForm.FedMeZO),
            Of("loss, fedmezo", ClientRateRule.Loss, ClientRateForm.FedMeZO),
            Of("drift, fedmezo", ClientRateRule.Drift, ClientRateForm.FedMeZO),
            Of("random", ClientRateRule.Random, ClientRateForm.FedMeZO),
            Of("loss, proportional", ClientRateRule.Loss, ClientRateForm.Proportional),
            Of("drift, proportional", ClientRateRule.Drift, ClientRateForm.Proportional),
        ],
        Keys: 5)
    {
        Alpha = 0.1,
    };

    private static Arm Of(string name, ClientRateRule rule, ClientRateForm form) =>
        new(name, settings => settings with { ClientRates = rule, ClientRateForm = form }) { Rates = Rate };
}
