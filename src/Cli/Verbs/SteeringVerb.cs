using System.CommandLine;
using System.Text.Json;
using FedKSeed.Cli.Remote;
using FedKSeed.Contracts;
using FedKSeed.Federation;

namespace FedKSeed.Cli.Verbs;

/// <summary>A verb that changes how a federation goes on: an entry of its log, with who did it and why.</summary>
/// <param name="done">What then is so, behind the federation's name.</param>
internal abstract class SteeringVerb(string name, string description, string done) : IVerb
{
    private readonly ServerOptions _server = new();
    private readonly Argument<string> _federation = ServerOptions.Federation();
    private readonly Option<string?> _reason = new("--reason")
    {
        HelpName = ParseFaults.FreeText,
        Description = "Why: for whoever reads the log.",
        Required = true,
    };

    private readonly Option<bool> _json = CommonOptions.Json();

    public abstract int Place { get; }

    /// <summary>Whether somebody has to say why.</summary>
    protected virtual bool HasReason => true;

    protected virtual IEnumerable<Argument> OwnArguments => [];

    protected virtual IEnumerable<Option> OwnOptions => [];

    public Command Create(VerbContext context)
    {
        var verb = new Command(name, description) { _federation };
        foreach (var argument in OwnArguments)
            verb.Arguments.Add(argument);
        foreach (var option in (HasReason ? OwnOptions.Prepend(_reason) : OwnOptions).Append(_json).Concat(_server.All))
            verb.Options.Add(option);
        verb.SetAction((parsed, cancel) => ExecuteAsync(parsed, context, cancel));
        return verb;
    }

    /// <summary>What is wrong with what the verb itself takes.</summary>
    protected virtual IEnumerable<string?> OwnFaults(ParseResult parsed) => [];

    /// <summary>Last, before it is done.</summary>
    /// <returns>Whether it is to be done.</returns>
    protected virtual bool IsMeant(ParseResult parsed, VerbContext context, string federation) => true;

    /// <returns>Whether it is so by now; else it was asked for.</returns>
    protected abstract Task<bool> SteerAsync(
        FederationServer server, string federation, string? reason, ParseResult parsed, CancellationToken cancel);

    private async Task<int> ExecuteAsync(ParseResult parsed, VerbContext context, CancellationToken cancel)
    {
        var federation = parsed.GetRequiredValue(_federation);
        var reason = HasReason ? parsed.GetValue(_reason)!.Trim() : null;
        using var server = _server.Connect(
            parsed,
            [ServerOptions.FaultOfName("NAME", federation), reason is null ? null : FaultOfReason(reason), .. OwnFaults(parsed)]);
        var output = parsed.InvocationConfiguration.Output;
        if (!IsMeant(parsed, context, federation))
        {
            output.WriteLine("Nothing was changed.");
            return ExitCode.Failed;
        }
        var isDone = await SteerAsync(server, federation, reason, parsed, cancel);
        output.WriteLine(
            parsed.GetValue(_json) ? JsonSerializer.Serialize(new { federation, act = name, isDone }, CommonOptions.JsonFormat)
            : isDone ? $"{federation}: {done}"
            : $"{federation}: asked for; fedkseed show {federation} says when it is so.");
        return ExitCode.Done;
    }

    private static string? FaultOfReason(string reason) =>
        reason.Length == 0 ? "--reason is empty."
        : SteeringWords.Fault("somebody", reason) is null ? null
        : $"--reason is to be up to {Limits.Reason} characters without control characters.";
}
