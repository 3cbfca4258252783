using System.Text.RegularExpressions;

namespace FedKSeed.EndToEnd.Tests;

/// <summary>
/// Every command that README.md shows, as it stands there: only its placeholders are filled in, and runs are cut short.
/// </summary>
public sealed partial class ReadmeTests(ShortFederation federation) : IClassFixture<ShortFederation>
{
    private const string Program = "./fedkseed ";

    private static string[] Shown { get; } =
    [
        .. File.ReadLines(Path.Combine(Fedkseed.Samples, "..", "README.md"))
            .Where(line => line.StartsWith("    " + Program, StringComparison.Ordinal))
            .Select(line => Comment().Replace(line, "").Trim()),
    ];

    public static TheoryData<string> Commands() => new(Shown);

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_command_of_the_readme_runs(string command)
    {
        var target = federation.NewFolder($"readme-{Math.Abs(StringComparer.Ordinal.GetHashCode(command))}");
        var arguments = Word().Matches(command[Program.Length..]).Select(word => word.Value.Trim('"')).ToList();
        for (var at = 1; at < arguments.Count; at++)
            arguments[at] = Filled(arguments[at - 1], arguments[at], target);
        if (arguments[0] == "run" && !arguments.Contains("--resume"))
            arguments.AddRange(["--rounds", "1", "--evaluate-every", "0", "--evaluation-limit", "2", "--output", target]);

        var (code, said) = await Fedkseed.RunAsync([.. arguments]);

        Assert.True(code == 0, $"{command}: {said}");
    }

    [Fact]
    public void There_are_commands_to_run() => Assert.InRange(Shown.Length, 9, 40);

    private string Filled(string option, string value, string target) => (option, value) switch
    {
        ("--model", "DIR") => Path.Combine(Fedkseed.Samples, "model"),
        ("--data", "DIR") => Path.Combine(Fedkseed.Samples, "data"),
        ("--data", "FILE") => Path.Combine(Fedkseed.Samples, "data", "held-out.jsonl"),
        ("--to", _) => target,
        ("--resume", _) => federation.Whole,
        ("--log", _) => Path.Combine(federation.Whole, "events.log"),
        _ when value.StartsWith("samples/", StringComparison.Ordinal) => Path.Combine(Fedkseed.Samples, value["samples/".Length..]),
        _ => value,
    };

    [GeneratedRegex(" +#.*$")]
    private static partial Regex Comment();

    [GeneratedRegex("\"[^\"]*\"|\\S+")]
    private static partial Regex Word();
}
