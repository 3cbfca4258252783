using System.CommandLine;
using System.Text.Json;
using FedKSeed.Cli.Doctor;
using FedKSeed.LogStore;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed doctor: what this machine has, what it lacks, and how to mend that.</summary>
internal sealed class DoctorVerb : IVerb
{
    private const string DefaultBroker = "amqp://localhost:5672/", DefaultRedis = "localhost:6379", DefaultRuns = "runs";

    private const string BrokerVariable = "Bus__Broker", RedisVariable = "Redis__Connection";

    private const string BrokerForm = $"an address such as {DefaultBroker}";

    public int Place => 90;

    public Command Create(VerbContext context)
    {
        var broker = new Option<Uri?>("--broker")
        {
            Description = $"Address of the broker. [default: {BrokerVariable} of the environment, or {DefaultBroker}]",
            HelpName = "ADDRESS",
            CustomParser = argument =>
            {
                if (BrokerOf(argument.Tokens[0].Value) is { } address)
                    return address;
                argument.AddError($"--broker must be {BrokerForm}.");
                return null;
            },
        };
        var redis = new Option<string?>("--redis")
        {
            Description = $"StackExchange.Redis configuration. [default: {RedisVariable} of the environment, or {DefaultRedis}]",
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
            var address = parsed.GetValue(broker) ?? BrokerOf(Environment.GetEnvironmentVariable(BrokerVariable) ?? DefaultBroker);
            var connection = parsed.GetValue(redis) ?? Environment.GetEnvironmentVariable(RedisVariable) ?? DefaultRedis;
            // Neither is repeated: it may hold a password.
            var faults = new List<string>();
            if (address is null)
                faults.Add($"{BrokerVariable} must be {BrokerForm}.");
            if (!RedisOptions.IsConfiguration(connection))
                faults.Add($"{(parsed.GetValue(redis) is null ? RedisVariable : "--redis")} must be like host:port,password=…,ssl=true.");
            faults.AddRange(UsageException.FaultsOfTarget(output.Name, parsed.GetValue(output) ?? DefaultRuns));
            if (faults.Count > 0)
                throw new UsageException(faults);
            var servers = ServerFindings.AllAsync(address!, connection, cancel);
            Finding[] findings = [.. ComputingFindings.All(
                parsed.GetValue(output) ?? DefaultRuns, parsed.GetValue(torch)), .. await servers];
            parsed.InvocationConfiguration.Output.WriteLine(
                parsed.GetValue(json) ? JsonSerializer.Serialize(findings, CommonOptions.JsonFormat) : Describe(findings));
            return findings.Any(finding => finding.IsNeeded && finding.State == FindingState.Missing) ? ExitCode.Failed : ExitCode.Done;
        });
        return verb;
    }

    private static Uri? BrokerOf(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "amqp" or "amqps" && address.Host.Length > 0
            ? address
            : null;

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
