namespace FedKSeed.Cli.Tests;

/// <summary>A command as a person sees it: exit code, output, errors.</summary>
internal sealed record CommandRun(int ExitCode, string Output, string Errors)
{
    public static async Task<CommandRun> Of(params string[] arguments)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var code = await FedKSeedCommand.InvokeAsync(arguments, output, errors);
        return new CommandRun(code, output.ToString(), errors.ToString());
    }
}
