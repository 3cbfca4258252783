namespace FedKSeed.Training.Objectives;

/// <summary>
/// Which objectives there are. A new one is a file beside this one and a line here, or, from another assembly, a call of
/// <see cref="Register"/>. Safe for use from several threads.
/// </summary>
public static class ObjectiveCatalogue
{
    private static readonly Lock Gate = new();

    private static readonly SortedDictionary<string, IObjective> ByName = new(StringComparer.Ordinal);

    static ObjectiveCatalogue() => Register(Default);

    /// <summary>What a step measures unless told otherwise.</summary>
    public static IObjective Default { get; } = new CrossEntropy();

    /// <exception cref="FormatException">There is no objective of that name; the message lists those there are.</exception>
    public static IObjective Named(string name)
    {
        lock (Gate)
        {
            return ByName.TryGetValue(name, out var objective) ? objective
                : throw new FormatException($"'{name}' is not an objective; there are {string.Join(", ", ByName.Keys)}.");
        }
    }

    /// <summary>Adds an objective for this process.</summary>
    /// <exception cref="ArgumentException">There is one of that name.</exception>
    public static void Register(IObjective objective)
    {
        ArgumentNullException.ThrowIfNull(objective);
        lock (Gate)
        {
            if (!ByName.TryAdd(objective.Name, objective))
                throw new ArgumentException($"There is an objective of the name {objective.Name} already.", nameof(objective));
        }
    }
}
