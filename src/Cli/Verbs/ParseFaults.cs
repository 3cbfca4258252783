using System.CommandLine;
using System.Text.RegularExpressions;

namespace FedKSeed.Cli.Verbs;

/// <summary>What is wrong with the form of a command line, for people.</summary>
internal static partial class ParseFaults
{
    private const string NoSubcommand = "Required command was not provided.";

    public static IEnumerable<string> Of(ParseResult parsed)
    {
        var unknown = parsed.UnmatchedTokens;
        if (parsed.CommandResult.Command is RootCommand root)
        {
            var verbs = root.Subcommands.Select(verb => verb.Name).ToArray();
            // What follows an unknown verb is unknown for that reason alone.
            if (unknown.Count == 0)
                return [$"a verb is needed: {string.Join(", ", verbs)}.", "To begin: fedkseed run, which tunes the sample model."];
            return [$"there is no verb '{unknown[0]}'.{NearestName.Question(unknown[0], verbs)}"];
        }
        return unknown.Where((token, at) => IsOption(token) || at == 0 || !IsOption(unknown[at - 1]))
            .Select(token => Describe(token, parsed))
            .Concat(parsed.Errors.Select(error => error.Message)
                .Where(message => !unknown.Any(token => message.StartsWith("Unrecognized", StringComparison.Ordinal)
                    && message.Contains($"'{token}'", StringComparison.Ordinal)))
                .Select(message => InOurWords(message, parsed.CommandResult.Command)));
    }

    /// <summary>What is missing, with what it is.</summary>
    private static string InOurWords(string message, Command command)
    {
        if (ValueMissing().Match(message) is { Success: true } valueless)
            return $"{valueless.Groups["name"].Value} needs a value.";
        if (message == NoSubcommand)
            return $"{command.Name} needs one of: {string.Join(", ", command.Subcommands.Select(verb => verb.Name))}.";
        if (Missing().Match(message) is not { Success: true } match)
            return message;
        var name = match.Groups["name"].Value;
        var what = command.Options.FirstOrDefault(option => option.Name == name)?.Description
            ?? command.Arguments.FirstOrDefault(argument => argument.Name == name)?.Description;
        return $"{name} is needed: {what}";
    }

    private static string Describe(string token, ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (!IsOption(token))
            return $"'{token}' belongs to no option of {command.Name}."
                + NearestName.Question(token, command.Subcommands.Select(verb => verb.Name));
        var options = command.Options.Where(option => !option.Hidden).SelectMany(option => option.Aliases.Append(option.Name));
        return $"{command.Name} has no option '{token}'.{NearestName.Question(token, options)}";
    }

    private static bool IsOption(string token) => token.StartsWith('-');

    [GeneratedRegex(@"^Option '(?<name>[^']*)' is required\.$|^Required argument '(?<name>[^']*)' missing for command: '[^']*'\.$")]
    private static partial Regex Missing();

    [GeneratedRegex(@"^Required argument missing for option: '(?<name>[^']*)'\.$")]
    private static partial Regex ValueMissing();
}
