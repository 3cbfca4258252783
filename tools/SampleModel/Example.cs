namespace FedKSeed.SampleModel;

/// <summary>One instruction example, in the field names of the JSONL files.</summary>
internal sealed record Example(string Instruction, string Input, string Output, string Task);

/// <summary>A pre-training task: its wordings, and how an input and the answer to it are drawn.</summary>
internal sealed record TaskDefinition(string Name, string[] Wordings, Func<Random, (string Input, string Output)> Draw)
{
    public Example Example(Random random)
    {
        var wording = random.Pick(Wordings);
        (var input, var output) = Draw(random);
        return new Example(wording, input, output, Name);
    }
}

internal static class Drawing
{
    public static T Pick<T>(this Random random, IReadOnlyList<T> items) => items[random.Next(items.Count)];

    /// <summary><paramref name="count"/> different items in random order.</summary>
    public static string[] Several(this Random random, IReadOnlyList<string> items, int count)
    {
        var drawn = new List<string>(count);
        while (drawn.Count < count)
        {
            var item = random.Pick(items);
            if (!drawn.Contains(item)) drawn.Add(item);
        }
        return [.. drawn];
    }
}
