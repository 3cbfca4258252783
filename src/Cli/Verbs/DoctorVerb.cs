using System.CommandLine;
using System.Text.Json;
using FedKSeed.Cli.Doctor;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed doctor: what this machine has, what it lacks, and how to mend that.</summary>
internal sealed class DoctorVerb : IVerb
{
    private const string DefaultBroker = "amqp://localhost:5672/", DefaultRedis = "localhost:6379", DefaultRuns = "runs";

    public int Place => 90;

    public Command Create(VerbContext context)
    {
        var broker = new Option<Uri?>("--broker")
        {
            Description = $"Address of the broker. [default: Bus__Broker of the environment, or {DefaultBroker}]",
            HelpName = "ADDRESS",
            CustomParser = argument =>
            {
                if (Uri.TryCreate(argument.Tokens[0].Value, UriKind.Absolute, out var address) && address.Host.Length > 0)
                    return address;
                argument.AddError($"--broker must be an address such as {DefaultBroker}, not '{argument.Tokens[0].Value}'.");
                return null;
            },
        };
        var redis = new Option<string?>("--redis")
        {
            Description = $"StackExchange.Redis configuration. [default: Redis__Connection of the environment, or {DefaultRedis}]",
            HelpName = "CONNECTION",
        };
        var output = new Option<string?>("--output")
        {
            Description = $"Folder for the results of runs. [default: {DefaultRuns}]",
            HelpName = "DIR"
        };
        var torch = new Option<string?>("--torch")
        {
            Description = "Lib folder of an installed PyTorch. [default: FEDKSEED_LIBTORCH, or none]",
            HelpName = "DIR"
        };
        var json = CommonOptions.Json();
        var verb = new Command("doctor", "Say what this machine has and lacks: cards, libtorch, vector instructions, broker, Redis, disk.")
        {
            broker, redis, output, torch, json,
        };
        verb.SetAction(async (parsed, cancel) =>
        {
            var servers = ServerFindings.AllAsync(
                parsed.GetValue(broker) ?? new Uri(Environment.GetEnvironmentVariable("Bus__Broker") ?? DefaultBroker),
                parsed.GetValue(redis) ?? Environment.GetEnvironmentVariable("Redis__Connection") ?? DefaultRedis, cancel);
            Finding[] findings = [.. ComputingFindings.All(
                parsed.GetValue(output) ?? DefaultRuns, parsed.GetValue(torch)), .. await servers];
            parsed.InvocationConfiguration.Output.WriteLine(
                parsed.GetValue(json) ? JsonSerializer.Serialize(findings, CommonOptions.JsonFormat) : Describe(findings));
            return findings.Any(finding => finding.IsNeeded && finding.State == FindingState.Missing) ? ExitCode.Failed : ExitCode.Done;
        });
        return verb;
    }

    /// <summary>A line for each finding, and below it how to mend it.</summary>
    private static string Describe(IReadOnlyList<Finding> findings)
    {
        var width = findings.Max(finding => finding.Name.Length);
        var lines = findings.SelectMany(finding =>
        {
            var line = $"{Word(finding.State),-8}{finding.Name.PadRight(width)}  {finding.Found}";
            return finding.Mend is { } mend ? new[] { line, $"{new string(' ', 8 + width)}  {mend}" } : [line];
        });
        var lacks = findings.Where(finding => finding.IsNeeded && finding.State == FindingState.Missing)
            .Select(finding => finding.Name).ToArray();
        return string.Join(Environment.NewLine, lines.Append("").Append(
            lacks.Length == 0 ? "Everything that fedkseed run needs is here." : $"fedkseed run needs: {string.Join(", ", lacks)}."));
    }

    private static string Word(FindingState state) => state switch
    {
        FindingState.Ok => "ok",
        FindingState.Warning => "warning",
        _ => "missing",
    };
}
