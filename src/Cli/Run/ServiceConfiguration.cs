using System.Globalization;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Devices;

namespace FedKSeed.Cli.Run;

/// <summary>A run's plan as configuration of the services, keys with colons.</summary>
internal static class ServiceConfiguration
{
    /// <summary>What every service gets: the bus and the store.</summary>
    /// <param name="broker">Null for the bus within this process.</param>
    /// <param name="redis">StackExchange.Redis configuration of the store.</param>
    public static Dictionary<string, string?> Shared(Uri? broker, string redis) => Given(new()
    {
        ["Bus:Transport"] = (broker is null ? BusTransport.InMemory : BusTransport.RabbitMq).ToString(),
        ["Bus:Broker"] = broker?.ToString(),
        ["Redis:Connection"] = redis,
        // A part that disappears ends the run, and a busy machine may delay a heartbeat.
        ["RoundService:ClientTimeout"] = "00:02:00",
    });

    /// <summary>What a worker of some of the plan's clients gets beside the bus.</summary>
    /// <param name="evaluates">Whether it is the evaluator, too.</param>
    /// <param name="parallelism">Assignments that it works off at once.</param>
    public static Dictionary<string, string?> Worker(
        RunPlan plan, IEnumerable<KeyValuePair<string, string>> clients, bool evaluates, int parallelism)
    {
        var configuration = new Dictionary<string, string?>
        {
            ["Worker:Device"] = plan.Device,
            ["Worker:ComputeType"] = plan.ComputeType.Name(),
            ["Worker:Parallelism"] = Text(parallelism),
        };
        var membership = new Dictionary<string, string?>
        {
            ["Federation"] = plan.Federation.Name,
            ["BaseModelDigest"] = plan.Federation.BaseModelDigest,
            ["ModelFolder"] = plan.Model,
            ["PromptFile"] = plan.Prompt,
            ["ChatForm"] = Text(plan.ChatForm),
            ["Format"] = Text(plan.Format),
            ["Fields"] = plan.Fields,
            ["LongExamples"] = Text(plan.LongExamples),
            ["MaximumTokens"] = Text(plan.MaximumTokens),
            ["VirtualTokens"] = Text(plan.Federation.Directions.Adapter is { Kind: AdapterKind.Prompt } prompt ? prompt.Tokens : 0),
        };
        foreach (var ((name, file), at) in clients.Select((client, at) => (client, at)))
        {
            membership[$"Clients:{at}:Name"] = name;
            membership[$"Clients:{at}:Data"] = file;
        }
        if (evaluates)
        {
            membership["Evaluator:Data"] = plan.HeldOut;
            membership["Evaluator:Limit"] = Text(plan.EvaluationLimit);
            membership["Evaluator:MaximumNewTokens"] = Text(plan.MaximumNewTokens);
        }
        foreach (var (key, value) in membership)
            configuration[$"Memberships:0:{key}"] = value;
        return Given(configuration);
    }

    private static Dictionary<string, string?> Given(Dictionary<string, string?> configuration) =>
        configuration.Where(setting => !string.IsNullOrEmpty(setting.Value)).ToDictionary();

    private static string? Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture);
}
