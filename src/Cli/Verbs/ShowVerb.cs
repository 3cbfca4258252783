using System.CommandLine;
using System.Text.Json;
using FedKSeed.Cli.Display;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed show: all that is known of a federation now.</summary>
internal sealed class ShowVerb : IVerb
{
    private readonly ServerOptions _server = new();

    public int Place => 24;

    public Command Create(VerbContext context)
    {
        var name = ServerOptions.Federation();
        var json = CommonOptions.Json();
        var verb = new Command("show", "Show a federation: its round, who reported, its clients, its evaluations.") { name, json };
        foreach (var option in _server.All)
            verb.Options.Add(option);
        verb.SetAction(async (parsed, cancel) =>
        {
            var federation = parsed.GetRequiredValue(name);
            using var server = _server.Connect(parsed, ServerOptions.FaultOfName("NAME", federation));
            var detail = await server.ShowAsync(federation, cancel);
            var clients = await server.ClientsAsync(federation, cancel);
            parsed.InvocationConfiguration.Output.WriteLine(parsed.GetValue(json)
                ? JsonSerializer.Serialize(new { federation = detail, clients }, CommonOptions.JsonFormat)
                : FederationPages.Of(detail, clients));
            return ExitCode.Done;
        });
        return verb;
    }
}
