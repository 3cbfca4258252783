using System.CommandLine;
using System.Net;
using System.Text.Json;
using FedKSeed.Cli.Remote;
using FedKSeed.Cli.Run;
using FedKSeed.Federation.Log;
using FedKSeed.RoundService.Api;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed open: gives a federation's settings to the services, which begin its log.</summary>
internal sealed class OpenVerb : IVerb
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20), Interval = TimeSpan.FromMilliseconds(200);

    private readonly ServerOptions _server = new();
    private readonly Argument<FileInfo> _file = new("FILE") { Description = "A federation.json, as fedkseed new writes it." };
    private readonly Option<bool> _json = CommonOptions.Json();

    public int Place => 22;

    public Command Create(VerbContext context)
    {
        var verb = new Command("open", "Open a federation on a server, and say how workers join it.") { _file, _json };
        foreach (var option in _server.All)
            verb.Options.Add(option);
        verb.SetAction(ExecuteAsync);
        return verb;
    }

    private async Task<int> ExecuteAsync(ParseResult parsed, CancellationToken cancel)
    {
        var (plan, faults) = Read(parsed.GetRequiredValue(_file));
        using var server = _server.Connect(parsed, faults);
        var settings = plan!.Federation;
        await server.OpenAsync(JsonSerializer.SerializeToElement(settings, EventLog.Json), cancel);
        var detail = await OpenedAsync(server, settings.Name, cancel);
        var memberships = ServiceConfiguration
            .Worker(plan, [KeyValuePair.Create("NAME-OF-THE-CLIENT", "ITS-DATA.jsonl")], evaluates: false, parallelism: 1)
            .Where(setting => setting.Key.StartsWith("Memberships:", StringComparison.Ordinal)).ToArray();
        parsed.InvocationConfiguration.Output.WriteLine(parsed.GetValue(_json)
            ? JsonSerializer.Serialize(
                new { federation = detail.Summary, membership = memberships.ToDictionary() }, CommonOptions.JsonFormat)
            : Describe(detail.Summary, memberships));
        return ExitCode.Done;
    }

    private static (RunPlan? Plan, List<string> Faults) Read(FileInfo file)
    {
        List<string> faults = [.. UsageException.FaultsOfFile("FILE", file)];
        if (faults.Count > 0)
            return (null, faults);
        try
        {
            var plan = RunPlan.Read(file.FullName);
            faults.AddRange(plan.Federation.Faults().Select(fault => $"{file.Name}: {RunOptionNames.InWordsOfOptions(fault)}"));
            if (plan.Federation.BaseModelDigest.Length == 0)
                faults.Add($"{file.Name}: federation.baseModelDigest is not set: fedkseed new writes it, fedkseed digest MODEL prints it.");
            return (plan, faults);
        }
        catch (UsageException fault)
        {
            return (null, [.. fault.Faults]);
        }
    }

    /// <summary>What was asked for is done by a service that may have other things to do first.</summary>
    private static async Task<FederationDetail> OpenedAsync(FederationServer server, string federation, CancellationToken cancel)
    {
        var since = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                return await server.ShowAsync(federation, cancel);
            }
            catch (ServerException fault) when (fault.Status == HttpStatusCode.NotFound
                && TimeProvider.System.GetElapsedTime(since) < Patience)
            {
                await Task.Delay(Interval, cancel);
            }
        }
    }

    private static string Describe(FederationSummary opened, IReadOnlyList<KeyValuePair<string, string?>> memberships)
    {
        var width = memberships.Max(setting => setting.Key.Length);
        IEnumerable<string> lines =
        [
            $"Federation {opened.Name} is {opened.Phase.ToString().ToLowerInvariant()}: version {opened.Version} of {opened.Rounds}, "
                + $"{opened.Clients} clients.",
            "",
            "A ClientWorker joins it with these settings; in an environment : is __. ModelFolder is where it has the base model.",
            .. memberships.Select(setting => $"  {setting.Key.PadRight(width)}  {setting.Value}"),
            "",
            $"Next: fedkseed watch {opened.Name}",
        ];
        return string.Join(Environment.NewLine, lines);
    }
}
