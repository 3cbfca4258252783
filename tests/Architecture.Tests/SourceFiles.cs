using System.Runtime.CompilerServices;

namespace FedKSeed.Architecture.Tests;

/// <summary>The repository's own files: what a build made, and what a run left, is not among them.</summary>
internal static class SourceFiles
{
    public static string Root { get; } = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../.."));

    public static string Full(string path) => Path.Combine(Root, path);

    /// <summary>Paths from <see cref="Root"/>, with forward slashes.</summary>
    public static IEnumerable<string> With(params string[] extensions) =>
        Rooms.Select(room => Path.Combine(Root, room)).Where(Directory.Exists)
            .SelectMany(room => Directory.EnumerateFiles(room, "*", SearchOption.AllDirectories))
            .Where(file => extensions.Contains(Path.GetExtension(file)))
            .Select(file => Path.GetRelativePath(Root, file).Replace('\\', '/'))
            .Where(file => !file.Split('/').Any(folder => folder is "bin" or "obj"))
            .Order(StringComparer.Ordinal);

    private static IEnumerable<string> Rooms => ["src", "tests", "tools", "benchmarks"];

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
