using System.CommandLine;
using System.Text.Json;
using FedKSeed.Cli.Display;
using FedKSeed.Cli.Remote;
using FedKSeed.Federation.Log;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed watch: the display of fedkseed run, from anywhere.</summary>
internal sealed class WatchVerb : IVerb
{
    private readonly ServerOptions _server = new();

    public int Place => 25;

    public Command Create(VerbContext context)
    {
        var name = ServerOptions.Federation();
        var json = CommonOptions.Json();
        var verb = new Command("watch", "Watch a federation live until it is closed; a server that goes away is waited for.")
        {
            name, json,
        };
        foreach (var option in _server.All)
            verb.Options.Add(option);
        verb.SetAction(async (parsed, cancel) =>
        {
            var federation = parsed.GetRequiredValue(name);
            using var server = _server.Connect(parsed, ServerOptions.FaultOfName("NAME", federation));
            context.Interruption.GoOn = "The federation goes on; the same command watches it again.";
            var screen = Screen.Of(parsed.InvocationConfiguration, parsed.GetValue(json), parsed.GetValue(context.Verbose));
            var remote = new RemoteWatch(server, federation, TimeProvider.System);
            remote.Happened += screen.Happened;
            var watch = await remote.BeginAsync(cancel);
            var end = await screen.WatchAsync(
                watch, () => remote.FollowAsync(watch, cancel), TimeProvider.System, () => remote.Note, cancel);
            parsed.InvocationConfiguration.Output.WriteLine(parsed.GetValue(json)
                ? JsonSerializer.Serialize(
                    new
                    {
                        federation,
                        reason = end.Closed.Reason,
                        version = end.Closed.Version,
                        rounds = end.Rounds,
                        reports = end.Reports,
                        seconds = end.Duration.TotalSeconds,
                    },
                    CommonOptions.JsonFormat)
                : SummaryDisplay.LineOf(end.Closed, end.Rounds, end.Reports, end.Duration));
            return end.Closed.Reason == FederationEnd.Diverged ? ExitCode.Failed : ExitCode.Done;
        });
        return verb;
    }
}
