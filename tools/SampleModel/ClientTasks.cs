namespace FedKSeed.SampleModel;

/// <summary>
/// What the clients of the sample federation want from the model: the word and a fact about it, in two words, and in wordings of
/// their own. Pre-training asks for words and for facts, never for both in one answer, and in none of these wordings, so
/// the base model answers in some other way.
/// </summary>
internal static class ClientTasks
{
    public static readonly PairTask[] All =
    [
        new("tag", Lexicon.Things, Lexicon.KindOf,
            ["tag this entry", "write a label for this entry", "file this entry", "tag the item", "write a label for the item", "file the item"]),
        new("trip", Lexicon.Countries, Lexicon.CapitalOf,
            ["plan a trip", "book a trip", "arrange a trip", "plan the holiday", "book the holiday", "arrange the holiday"]),
        new("deny", Lexicon.Adjectives, Lexicon.OppositeOf,
            ["deny it", "object to it", "argue against it", "deny this claim", "object to this claim", "argue against this claim"]),
    ];

    /// <summary>The words of the wordings, so that pre-training can make them known one by one.</summary>
    public static readonly string[] Words =
        [.. All.SelectMany(task => task.Wordings).SelectMany(wording => wording.Split(' ')).Distinct().Order(StringComparer.Ordinal)];
}

/// <summary>A task whose answer is the input and a fact about it.</summary>
internal sealed record PairTask(string Name, string[] Domain, Func<string, string> Fact, string[] Wordings)
{
    /// <summary>Every example on the inputs given, in every wording.</summary>
    public IEnumerable<Example> Examples(IEnumerable<string> inputs) =>
        from input in inputs from wording in Wordings select new Example(wording, input, $"{input} {Fact(input)}", Name);
}
