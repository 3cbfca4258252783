using System.Globalization;
using FedKSeed.Bus;
using FedKSeed.Federation;
using FedKSeed.LanguageModels.Devices;

namespace FedKSeed.Cli.Run;

/// <summary>A run's plan as configuration of the services, keys with colons.</summary>
internal static class ServiceConfiguration
{
    /// <summary>What every service gets: the federation, the bus and the store.</summary>
    /// <param name="broker">Null for the bus within this process.</param>
    /// <param name="redis">StackExchange.Redis configuration of the store.</param>
    public static Dictionary<string, string?> Shared(RunPlan plan, Uri? broker, string redis)
    {
        var configuration = new Dictionary<string, string?>
        {
            ["Bus:Transport"] = (broker is null ? BusTransport.InMemory : BusTransport.RabbitMq).ToString(),
            ["Bus:Broker"] = broker?.ToString(),
            ["Redis:Connection"] = redis,
            // A part that disappears ends the run, and a busy machine may delay a heartbeat.
            ["RoundService:ClientTimeout"] = "00:02:00",
        };
        foreach (var (path, value) in SettingsJson.Configuration(plan.Federation, "Federation"))
            configuration[path] = value;
        return Given(configuration);
    }

    /// <summary>What a worker of some of the plan's clients gets beside that.</summary>
    /// <param name="parallelism">Assignments that it works off at once.</param>
    public static Dictionary<string, string?> Worker(RunPlan plan, IEnumerable<KeyValuePair<string, string>> clients, int parallelism)
    {
        var configuration = new Dictionary<string, string?>
        {
            ["Worker:ModelFolder"] = plan.Model,
            ["Worker:PromptFile"] = plan.Prompt,
            ["Worker:ChatForm"] = Text(plan.ChatForm),
            ["Worker:Format"] = Text(plan.Format),
            ["Worker:Fields"] = plan.Fields,
            ["Worker:LongExamples"] = Text(plan.LongExamples),
            ["Worker:Device"] = plan.Device,
            ["Worker:ComputeType"] = plan.ComputeType.Name(),
            ["Worker:Parallelism"] = Text(parallelism),
            ["Worker:MaximumTokens"] = Text(plan.MaximumTokens),
        };
        foreach (var ((name, file), at) in clients.Select((client, at) => (client, at)))
        {
            configuration[$"Worker:Clients:{at}:Name"] = name;
            configuration[$"Worker:Clients:{at}:Data"] = file;
        }
        return Given(configuration);
    }

    /// <summary>What makes a worker the evaluator.</summary>
    public static Dictionary<string, string?> Evaluator(RunPlan plan) => new()
    {
        ["Evaluator:Data"] = plan.HeldOut,
        ["Evaluator:Limit"] = Text(plan.EvaluationLimit),
        ["Evaluator:MaximumNewTokens"] = Text(plan.MaximumNewTokens),
    };

    private static Dictionary<string, string?> Given(Dictionary<string, string?> configuration) =>
        configuration.Where(setting => setting.Value is not null).ToDictionary();

    private static string? Text(object? value) => Convert.ToString(value, CultureInfo.InvariantCulture);
}
