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
        new("tag", Things("animal", "fruit", "drink", "instrument"), Lexicon.KindOf,
            ["tag this entry", "write a label for this entry", "tag this claim",
             "tag the item", "write a label for the item", "tag the claim"]),
        new("file", Things("tool", "garment", "furniture", "vehicle"), Lexicon.KindOf,
            ["file this entry", "file the entry", "file this claim", "file the item", "file this item", "file the claim"]),
        new("trip", Lexicon.Countries, Lexicon.CapitalOf,
            ["plan a trip", "book a trip", "arrange a trip", "plan the holiday", "book the holiday", "arrange the holiday"]),
    ];

    /// <summary>
    /// Words that people ask with, those of the wordings among them: pre-training makes them known one by one, never in a wording.
    /// </summary>
    public static readonly string[] Words =
        "a against argue arrange book claim deny entry file for holiday it item label object plan tag the this to trip write".Split(' ');

    private static string[] Things(params string[] kinds) => [.. kinds.SelectMany(kind => Lexicon.Kinds[kind])];
}

/// <summary>A task whose answer is the input and a fact about it.</summary>
internal sealed record PairTask(string Name, string[] Domain, Func<string, string> Fact, string[] Wordings)
{
    /// <summary>Every input in every wording.</summary>
    public IEnumerable<Example> Examples() =>
        from input in Domain from wording in Wordings select new Example(wording, input, $"{input} {Fact(input)}", Name);
}
