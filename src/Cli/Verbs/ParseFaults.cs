using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;

namespace FedKSeed.Cli.Verbs;

/// <summary>What is wrong with the form of a command line, for people.</summary>
internal static partial class ParseFaults
{
    /// <summary>What help calls the value of options that take any text.</summary>
    public const string FreeText = "TEXT";

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
            return
            [
                (IsOption(unknown[0]) ? $"fedkseed has no option '{unknown[0]}'." : $"there is no verb '{unknown[0]}'.")
                    + NearestName.Question(unknown[0], verbs.Concat(root.Options.Select(option => option.Name))),
            ];
        }
        return Empty(parsed.CommandResult).Concat(unknown.Where((token, at) => IsOption(token) || at == 0 || !IsOption(unknown[at - 1]))
            .Select(token => Describe(token, parsed))
            .Concat(parsed.Errors.Select(error => error.Message)
                .Where(message => !unknown.Any(token => message.StartsWith("Unrecognized", StringComparison.Ordinal)
                    && message.Contains($"'{token}'", StringComparison.Ordinal)))
                .Select(message => InOurWords(message, parsed.CommandResult.Command))))
            .Distinct();
    }

    /// <summary>Options and arguments that were given an empty text, where that cannot be what is meant.</summary>
    public static IEnumerable<string> Empty(CommandResult given) => given.Children
        .Where(child => child.Tokens.Any(token => token.Value.Length == 0))
        .Select(child => child switch
        {
            OptionResult { Option: { HelpName: not FreeText } option } => option.Name,
            ArgumentResult argument => argument.Argument.Name,
            _ => null,
        })
        .OfType<string>().Select(name => $"{name} needs a value.");

    /// <summary>What is missing, with what it is.</summary>
    private static string InOurWords(string message, Command command)
    {
        if (Unfit().Match(message) is { Success: true } unfit)
            return $"{unfit.Groups["name"].Value} "
                + (unfit.Groups["value"].Length == 0 ? "needs a value." : $"cannot be '{unfit.Groups["value"].Value}'.");
        if (Repeated().Match(message) is { Success: true } repeated)
            return $"{repeated.Groups["name"].Value} is given {repeated.Groups["times"].Value} times, and takes one value.";
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

    [GeneratedRegex(@"^Option '(?<name>[^']*)' expects a single argument but (?<times>\d+) were provided\.$")]
    private static partial Regex Repeated();

    // The library names types of the program.
    [GeneratedRegex(@"^Cannot parse argument '(?<value>.*)' for (?:option|command) '(?<name>[^']*)' as expected type '[^']*'\.$")]
    private static partial Regex Unfit();

    [GeneratedRegex(@"^Required argument missing for option: '(?<name>[^']*)'\.$")]
    private static partial Regex ValueMissing();
}
