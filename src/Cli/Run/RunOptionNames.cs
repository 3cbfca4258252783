using System.Text.Json;
using System.Text.RegularExpressions;
using FedKSeed.Federation;

namespace FedKSeed.Cli.Run;

/// <summary>Options of the command line that set a property of the federation's settings.</summary>
internal static partial class RunOptionNames
{
    private static readonly Dictionary<string, string> OptionOf = new()
    {
        ["Name"] = "--name",
        ["Scheme"] = "--scheme",
        ["PoolKey"] = "--pool-key",
        ["SeedCount"] = "--seeds",
        ["Trainable"] = "--peft",
        ["Kind"] = "--peft",
        ["Rank"] = "--adapter-rank",
        ["Alpha"] = "--adapter-alpha",
        ["Targets"] = "--adapter-targets",
        ["TrainA"] = "--adapter-train-a",
        ["Tokens"] = "--adapter-tokens",
        ["Rounds"] = "--rounds",
        ["StepsPerRound"] = "--steps",
        ["BatchSize"] = "--batch",
        ["Epsilon"] = "--epsilon",
        ["LearningRate"] = "--learning-rate",
        ["ParticipantsPerRound"] = "--participants",
        ["Participation"] = "--participation",
        ["OverSelection"] = "--over-selection",
        ["MinimumReports"] = "--minimum-reports",
        ["CommitEvery"] = "--commit-every",
        ["TimeLimit"] = "--time-limit",
        ["TargetLoss"] = "--target-loss",
        ["Sampling"] = "--sampling",
        ["Schedule"] = "--schedule",
        ["ClientRates"] = "--client-rates",
        ["ClientRateForm"] = "--client-rate-form",
        ["ClientRateSpread"] = "--client-rate-spread",
        ["ClientRateWindow"] = "--client-rate-window",
        ["Dropout"] = "--dropout",
        ["Keep"] = "--keep",
        ["Quorum"] = "--quorum",
        ["RoundDeadline"] = "--deadline",
        ["StalenessBound"] = "--staleness",
        ["Synchronous"] = "--synchronous",
        ["EvaluateEvery"] = "--evaluate-every",
    };

    /// <summary>A fault that names a property, as one that names its option.</summary>
    public static string InWordsOfOptions(string fault) =>
        Property().Replace(fault, match => Of(match.Groups["name"].Value) ?? match.Value);

    /// <summary>The option of a property, or, of one that has none, its place in the settings file; null when it is no property.</summary>
    public static string? Of(string property) =>
        OptionOf.GetValueOrDefault(property)
            ?? (typeof(FederationSettings).GetProperty(property) is null
                ? null
                : $"federation.{JsonNamingPolicy.CamelCase.ConvertName(property)}");

    [GeneratedRegex(@"(?:The field )?\b(?<name>[A-Z]\w+)\b")]
    private static partial Regex Property();
}
