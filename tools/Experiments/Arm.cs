using FedKSeed.Federation;

namespace FedKSeed.Experiments;

/// <summary>One way of tuning, which an experiment compares with others.</summary>
/// <param name="Name">Names its runs.</param>
/// <param name="Change">What of the experiment's settings is different for it.</param>
public sealed record Arm(string Name, Func<FederationSettings, FederationSettings> Change)
{
    /// <summary>Learning rates that are tried with the first key; the one of least held-out loss is the arm's.</summary>
    public IReadOnlyList<double> Rates { get; init; } = [];

    /// <summary>An arm before this one whose rate this one takes over, instead of rates of its own.</summary>
    public string? RateOf { get; init; }
}

/// <summary>A question, and the federations that answer it: every arm with every key, at the arm's own best learning rate.</summary>
/// <param name="Common">What the arms have in common.</param>
/// <param name="Keys">Pool keys 1 to this.</param>
public sealed record Experiment(string Name, string Question, FederationSettings Common, IReadOnlyList<Arm> Arms, int Keys)
{
    /// <summary>
    /// Concentration of the Dirichlet distribution by which the training data is shared out anew to the clients, by task and for each key;
    /// null for the clients of the data as they are.
    /// </summary>
    public double? Alpha { get; init; }

    /// <summary>The arm that the others are compared with.</summary>
    public Arm Baseline => Arms[0];

    public static IReadOnlyList<Experiment> All { get; } = [PeftExperiment.Create(), ClientRatesExperiment.Create()];

    /// <summary>The settings of a run, but for what follows from its files.</summary>
    public FederationSettings SettingsOf(DueRun run)
    {
        ArgumentNullException.ThrowIfNull(run);
        var common = Common with
        {
            LearningRate = run.Rate,
            Directions = Common.Directions with { PoolKey = (ulong)run.Key },
        };
        return run.Arm.Change(common);
    }
}

/// <summary>A run that an experiment needs.</summary>
public sealed record DueRun(Arm Arm, int Key, double Rate);
