using Spectre.Console;

namespace FedKSeed.Cli.Display;

/// <summary>What is asked of a person at a terminal; see <see cref="Screen.IsTerminal"/>.</summary>
public static class Questions
{
    public static bool Confirm(string question) =>
        AnsiConsole.Prompt(new ConfirmationPrompt(Markup.Escape(question)) { DefaultValue = false });

    /// <param name="fault">What is wrong with an answer; null for nothing. It is asked again then.</param>
    /// <param name="otherwise">What an empty answer means; null where there has to be one.</param>
    public static string Ask(string question, Func<string, string?> fault, string? otherwise = null)
    {
        ArgumentNullException.ThrowIfNull(fault);
        var prompt = new TextPrompt<string>(Markup.Escape(question)).Validate(answer =>
            fault(answer) is { } wrong ? ValidationResult.Error(Markup.Escape(wrong)) : ValidationResult.Success());
        return AnsiConsole.Prompt(otherwise is null ? prompt : prompt.DefaultValue(otherwise));
    }
}
