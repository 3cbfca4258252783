using System.CommandLine;
using System.Text.Json;
using FedKSeed.Cli.Display;

namespace FedKSeed.Cli.Verbs;

/// <summary>fedkseed list: the federations that a set of services serves.</summary>
internal sealed class ListVerb : IVerb
{
    private readonly ServerOptions _server = new();

    public int Place => 23;

    public Command Create(VerbContext context)
    {
        var json = CommonOptions.Json();
        var verb = new Command("list", "List the federations of a server.") { json };
        foreach (var option in _server.All)
            verb.Options.Add(option);
        verb.SetAction(async (parsed, cancel) =>
        {
            using var server = _server.Connect(parsed);
            var federations = await server.ListAsync(cancel);
            parsed.InvocationConfiguration.Output.WriteLine(
                parsed.GetValue(json) ? JsonSerializer.Serialize(federations, CommonOptions.JsonFormat) : FederationPages.Of(federations));
            return ExitCode.Done;
        });
        return verb;
    }
}
