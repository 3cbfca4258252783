namespace FedKSeed.Checkpoints;

/// <summary>Where a path leads once every link in it is followed.</summary>
public static class RealPath
{
    /// <summary>As many links as Linux follows.</summary>
    private const int MostLinks = 40;

    /// <summary>The path without links, as far as it exists; without a separator at its end.</summary>
    /// <exception cref="IOException">Links lead in a circle.</exception>
    public static string Of(string path)
    {
        var rest = new Stack<string>(Parts(Path.GetFullPath(path)).Reverse());
        var (real, links) = (Path.GetPathRoot(Path.GetFullPath(path))!, 0);
        while (rest.TryPop(out var part))
        {
            var next = Path.Combine(real, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                real = next;
                continue;
            }
            if (++links > MostLinks)
                throw new IOException($"'{path}' leads through more than {MostLinks} links.");
            var full = Path.GetFullPath(target, real);
            real = Path.GetPathRoot(full)!;
            foreach (var step in Parts(full).Reverse())
                rest.Push(step);
        }
        return real;
    }

    /// <summary>Whether a path lies in a folder, links followed.</summary>
    public static bool IsIn(string path, string folder) =>
        Of(path).StartsWith(Path.TrimEndingDirectorySeparator(Of(folder)) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static string[] Parts(string full) =>
        full[Path.GetPathRoot(full)!.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries);
}
