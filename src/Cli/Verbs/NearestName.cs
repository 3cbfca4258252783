namespace FedKSeed.Cli.Verbs;

/// <summary>What somebody may have meant who wrote a name that there is not.</summary>
internal static class NearestName
{
    /// <returns>" Did you mean NAME?", or nothing when no name is near.</returns>
    public static string Question(string text, IEnumerable<string> names)
    {
        var nearest = names
            .Select(name => (Name: name, Distance: Distance(text.TrimStart('-'), name.TrimStart('-'))))
            .OrderBy(pair => pair.Distance).FirstOrDefault();
        return nearest.Name is { } found && nearest.Distance <= Math.Max(1, text.TrimStart('-').Length / 3)
            ? $" Did you mean {found}?"
            : "";
    }

    /// <summary>Letters to insert, delete, replace or swap with their neighbour: optimal string alignment, case aside.</summary>
    private static int Distance(string one, string other)
    {
        var (a, b) = (one.ToUpperInvariant(), other.ToUpperInvariant());
        var costs = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    costs[i, j] = i + j;
                    continue;
                }
                var replaced = costs[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                costs[i, j] = Math.Min(replaced, 1 + Math.Min(costs[i - 1, j], costs[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    costs[i, j] = Math.Min(costs[i, j], 1 + costs[i - 2, j - 2]);
            }
        return costs[a.Length, b.Length];
    }
}
