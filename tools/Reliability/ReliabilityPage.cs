namespace FedKSeed.Reliability;

/// <summary>
/// A Markdown page with parts that commands write: each between two markers, <c>&lt;!-- name --&gt;</c> and <c>&lt;!-- /name --&gt;</c>.
/// </summary>
public static class ReliabilityPage
{
    /// <summary>Puts a new text between the markers of a part.</summary>
    /// <exception cref="InvalidDataException">The page has no such part.</exception>
    public static void Replace(string path, string part, string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var page = File.ReadAllText(path);
        var (from, to) = Find(path, page, part);
        File.WriteAllText(path, $"{page[..from]}\n{text.Trim()}\n{page[to..]}");
    }

    /// <summary>Whether a later <see cref="Replace"/> would find its part.</summary>
    /// <exception cref="InvalidDataException">The page has no such part.</exception>
    public static void Require(string path, string part) => Find(path, File.ReadAllText(path), part);

    private static (int From, int To) Find(string path, string page, string part)
    {
        var (begin, end) = ($"<!-- {part} -->", $"<!-- /{part} -->");
        var from = page.IndexOf(begin, StringComparison.Ordinal);
        var to = page.IndexOf(end, StringComparison.Ordinal);
        return from < 0 || to < from
            ? throw new InvalidDataException($"{path} has no part '{part}': {begin} … {end}.")
            : (from + begin.Length, to);
    }
}
