using System.Text.RegularExpressions;

namespace FedKSeed.EndToEnd.Tests;

/// <summary>
/// Every command that README.md and samples/README.md show runs as it stands there, in its order, from a folder that looks like the
/// repository's: what a reader pastes. Nothing is added and nothing is filled in.
/// </summary>
public sealed partial class ReadmeTests : IDisposable
{
    /// <summary>Commands that a test cannot run as they stand: why, and what is checked of them instead.</summary>
    private static readonly Dictionary<string, (string Why, Func<string, Task> Check)> NotRun = new(StringComparer.Ordinal)
    {
        ["fedkseed"] = ("it names the program", _ => Task.CompletedTask),
        ["./test.sh"] = ("it is what runs this test", folder => SucceedsAsync("bash -n test.sh", folder)),
        ["dotnet run -c Release --project tools/SampleModel -- data"] = (
            "it would write over the samples that other tests read: its program writes elsewhere, the same bytes", MakesTheDataAsync),
        ["dotnet run -c Release --project tools/SampleModel -- model --steps 1500 --weight-noise 0.015"] = (
            "it trains for minutes: its program knows the options",
            folder => SucceedsAsync($"{SampleModel} model --steps 1500 --weight-noise 0.015 --help", folder)),
    };

    private readonly string _folder = Directory.CreateTempSubdirectory("fedkseed-readme-").FullName;

    public ReadmeTests()
    {
        foreach (var name in new[] { "samples", "test.sh", "tools" })
            File.CreateSymbolicLink(Path.Combine(_folder, name), Path.Combine(Root, name));
        // The script of that name would build first.
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        using var program = new StreamWriter(Path.Combine(_folder, "fedkseed"), options);
        program.Write($"#!/bin/sh\nexec dotnet '{Path.Combine(AppContext.BaseDirectory, "fedkseed.dll")}' \"$@\"\n");
    }

    private static string SampleModel => $"dotnet '{Path.Combine(AppContext.BaseDirectory, "FedKSeed.SampleModel.dll")}'";

    private static string Root => Path.GetFullPath(Path.Combine(Fedkseed.Samples, ".."));

    /// <summary>In blocks and within text, each once; what follows # is for the reader.</summary>
    private static string[] Shown { get; } =
    [
        .. new[] { "README.md", "samples/README.md" }.SelectMany(file => Commands().Matches(File.ReadAllText(Path.Combine(Root, file))))
            .Select(match => Comment().Replace(match.Groups["command"].Value, "").Trim())
            .Distinct(StringComparer.Ordinal),
    ];

    [Fact]
    public async Task Every_command_of_the_readmes_runs_as_it_stands_there()
    {
        foreach (var command in Shown)
        {
            if (NotRun.TryGetValue(command, out var other))
                await other.Check(_folder);
            else if (IsLong(command))
                await BeginsAndIsStoppedAsync(command, _folder);
            else
                await SucceedsAsync(command, _folder);
        }
    }

    [Fact]
    public void What_is_not_run_is_shown_and_says_why()
    {
        Assert.InRange(Shown.Length, 18, 60);
        Assert.All(NotRun, other => Assert.Contains(other.Key, Shown));
        Assert.All(NotRun.Values, other => Assert.NotEmpty(other.Why));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Sixty rounds: .ci/run takes the default run to its end, and whether it learns; here all such runs begin.</summary>
    private static bool IsLong(string command) =>
        Regex.IsMatch(command, "fedkseed (run|cluster)") && !Regex.IsMatch(command, "--(rounds|resume|config) ");

    /// <summary>A round of it is committed, then Ctrl-C ends it as a reader would.</summary>
    private static async Task BeginsAndIsStoppedAsync(string command, string folder)
    {
        using var program = Fedkseed.StartInShell(command, folder);
        await program.UntilAsync("round 1/60:");
        program.Signal("INT");
        var code = await program.EndAsync();
        Assert.True(code == 130 && program.Said.Contains("--resume runs/", StringComparison.Ordinal), $"{command}: {code}: {program.Said}");
    }

    private static async Task SucceedsAsync(string command, string folder)
    {
        using var program = Fedkseed.StartInShell(command, folder);
        var code = await program.EndAsync();
        Assert.True(code == 0, $"{command}: {code}: {program.Said}");
    }

    private static async Task MakesTheDataAsync(string folder)
    {
        Assert.True(File.Exists(Path.Combine(Root, "tools", "SampleModel", "SampleModel.csproj")));
        var elsewhere = Directory.CreateDirectory(Path.Combine(folder, "elsewhere")).FullName;
        await SucceedsAsync($"{SampleModel} data", elsewhere);
        var files = Directory.EnumerateFiles(Path.Combine(Fedkseed.Samples, "data")).Append(Path.Combine(Fedkseed.Samples, "prompt.json"));
        foreach (var name in files.Select(file => Path.GetRelativePath(Fedkseed.Samples, file)))
            Assert.Equal(
                File.ReadAllText(Path.Combine(Fedkseed.Samples, name)), File.ReadAllText(Path.Combine(elsewhere, "samples", name)));
    }

    /// <summary>A line that is indented by four, or what stands between backquotes.</summary>
    [GeneratedRegex(
        @"(^ {4}(?<command>(\./fedkseed|fedkseed|dotnet|\./test\.sh)( .*)?)$)"
            + @"|(`(?<command>(\./fedkseed|fedkseed|dotnet|\./test\.sh)( [^`]*)?)`)", RegexOptions.Multiline)]
    private static partial Regex Commands();

    [GeneratedRegex(" +# .*$")]
    private static partial Regex Comment();
}
