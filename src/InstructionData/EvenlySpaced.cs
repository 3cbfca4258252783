namespace FedKSeed.InstructionData;

public static class EvenlySpaced
{
    /// <summary>
    /// At most <paramref name="limit"/> of the items, 0 for all: a file sorted by task would otherwise be scored on its first tasks alone.
    /// </summary>
    public static IReadOnlyList<T> Of<T>(IReadOnlyList<T> items, int limit)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        return limit == 0 || limit >= items.Count ? items
            : [.. Enumerable.Range(0, limit).Select(k => items[(int)((long)k * items.Count / limit)])];
    }
}
