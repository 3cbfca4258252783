using System.CommandLine;
using System.CommandLine.Invocation;

namespace FedKSeed.Cli.Verbs;

/// <summary>What --help shows: options under headings, no line beyond 80 columns.</summary>
internal sealed class HelpPage : SynchronousCommandLineAction
{
    private const int Width = 80, Left = 26;

    /// <summary>Who asks for help is not told what is missing.</summary>
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        foreach (var line in Lines(parseResult.CommandResult.Command))
            parseResult.InvocationConfiguration.Output.WriteLine(line);
        return ExitCode.Done;
    }

    private static IEnumerable<string> Lines(Command command)
    {
        foreach (var line in Wrapped(command.Description ?? "", Width))
            yield return line;
        yield return "";
        yield return $"Usage: {Usage(command)}";
        foreach (var line in Section("Arguments", command.Arguments.Where(argument => !argument.Hidden)
            .Select(argument => ($"<{argument.Name}>", argument.Description))))
            yield return line;
        foreach (var line in Section("Verbs", command.Subcommands.Select(verb => (verb.Name, verb.Description))))
            yield return line;
        // Those of every verb come last, wherever they are declared.
        var own = command.Options.Where(option => !option.Hidden).Select(option => (Group: OptionGroups.GroupOf(option), Option: option))
            .Concat(Above(command).SelectMany(parent => parent.Options)
                .Where(option => option.Recursive && !option.Hidden)
                .Select(option => (Group: "Every verb", Option: option)));
        foreach (var group in own.GroupBy(item => item.Group, item => item.Option))
            foreach (var line in Section(group.Key, group.Select(option => (Form(option), (string?)Text(option)))))
                yield return line;
    }

    /// <summary>Its parent, that one's, and so on.</summary>
    private static IEnumerable<Command> Above(Command command) =>
        command.Parents.OfType<Command>().SelectMany(parent => Above(parent).Prepend(parent));

    private static string Usage(Command command)
    {
        var path = new List<string>();
        for (var at = command; at is not null; at = at.Parents.OfType<Command>().FirstOrDefault())
            path.Insert(0, at is RootCommand ? "fedkseed" : at.Name);
        return string.Join(' ', path) + (command is RootCommand ? " <verb>" : "") + " [options]"
            + string.Concat(command.Arguments.Select(argument => $" [{argument.Name}]"));
    }

    private static string Form(Option option)
    {
        var names = string.Join(", ", option.Aliases.Where(name => name.StartsWith('-') && name != "-?")
            .OrderBy(name => name.Length).Prepend(option.Name));
        var value = option.HelpName is { } help ? $" {(IsLong(option) ? "WORD" : help)}" : "";
        return names + value + (option.Required ? " (needed)" : "");
    }

    /// <summary>Words that would not fit beside a name stand in what is said of it.</summary>
    private static bool IsLong(Option option) => option.HelpName is { Length: > 40 };

    private static string Text(Option option) =>
        IsLong(option)
            ? $"{option.Description} One of {option.HelpName!.Replace("|", ", ", StringComparison.Ordinal)}."
            : option.Description ?? "";

    /// <summary>Names on the left, what they are on the right; below them where a name is long.</summary>
    private static IEnumerable<string> Section(string title, IEnumerable<(string Name, string? Text)> rows)
    {
        var all = rows.ToArray();
        if (all.Length == 0)
            yield break;
        yield return "";
        yield return $"{title}:";
        foreach (var (name, text) in all)
        {
            var lines = Wrapped(text ?? "", Width - Left).ToArray();
            var fits = name.Length + 2 < Left - 1;
            yield return fits && lines.Length > 0 ? $"  {name}".PadRight(Left) + lines[0] : $"  {name}";
            foreach (var line in fits ? lines.Skip(1) : lines)
                yield return new string(' ', Left) + line;
        }
    }

    private static IEnumerable<string> Wrapped(string text, int width)
    {
        var line = "";
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > width)
            {
                yield return line;
                line = "";
            }
            line = line.Length == 0 ? word : $"{line} {word}";
        }
        if (line.Length > 0)
            yield return line;
    }
}
