namespace FedKSeed.SampleModel;

/// <summary>
/// What the base model learns to do before any federation: pick words out of a list, copy them, and tell plain facts
/// about them, in many wordings. <see cref="ClientTasks"/> asks for things that do not occur here.
/// </summary>
internal static class PretrainingTasks
{
    public static readonly TaskDefinition[] All =
    [
        .. Lists(),
        .. Facts(),
        .. PickingOut(),
    ];

    /// <summary>Endless text of the kind that the model is trained on, for the tokenizer to learn from.</summary>
    public static IEnumerable<string> Lines(Random random)
    {
        while (true)
        {
            yield return Sentence(random);
            var example = random.Pick(All).Example(random);
            yield return $"{Prompt.Of(example)} {example.Output}";
        }
    }

    /// <summary>A line of running text, all of whose words are learnt (an instruction example teaches its answer only).</summary>
    public static string Sentence(Random random)
    {
        string thing = random.Pick(Lexicon.Things), adjective = random.Pick(Lexicon.Adjectives), country = random.Pick(Lexicon.Countries);
        return random.Next(8) switch
        {
            0 => $"the {thing} is a kind of {Lexicon.KindOf(thing)}",
            1 => $"the {adjective} {thing} is not {Lexicon.OppositeOf(adjective)}",
            2 => $"{Lexicon.CapitalOf(country)} is the capital of {country}",
            3 => $"the {thing} went from {country} to {random.Pick(Lexicon.Cities)}",
            4 => $"{random.Pick(Lexicon.Numbers)} {adjective} {thing} and {random.Pick(Lexicon.Numbers)} {random.Pick(Lexicon.Things)}",
            5 => $"{adjective} is the opposite of {Lexicon.OppositeOf(adjective)}",
            6 => $"{random.Pick(ClientTasks.Words)} is a word and {random.Pick(ClientTasks.Words)} is another",
            _ => $"the word {random.Pick(ClientTasks.Words)} and the word {thing}",
        };
    }

    private static IEnumerable<TaskDefinition> Lists()
    {
        yield return List("first-word", 2, 4, words => words[0],
            "name the first word", "give the first one", "what comes first in the list", "repeat the word at the start",
            "which word begins the list");
        yield return List("last-word", 2, 4, words => words[^1],
            "name the last word", "give the last one", "what comes last in the list", "repeat the word at the end",
            "which word closes the list");
        yield return List("second-word", 3, 4, words => words[1],
            "name the second word", "give the second one", "what comes second in the list", "repeat the word after the first");
        yield return List("copy", 1, 3, words => string.Join(' ', words),
            "copy the list", "repeat all the words", "say it again", "write the same words", "echo the text");
        yield return List("first-two", 3, 4, words => $"{words[0]} {words[1]}",
            "name the first two words", "give the two at the start", "repeat the first two");
        yield return List("twice", 1, 2, words => $"{words[^1]} {words[^1]}",
            "write the last word twice", "say the last one two times", "double the word at the end");
        yield return List("how-many", 1, 4, words => Lexicon.Numbers[words.Length - 1],
            "count the words", "how many words are there", "give the number of words in the list");
    }

    private static IEnumerable<TaskDefinition> Facts()
    {
        yield return Fact("kind", Lexicon.Things, Lexicon.KindOf,
            "what kind of thing is it", "name the kind", "give the kind of this thing", "which group does it belong to",
            "tell what this is");
        yield return Fact("kind-of-last", Lexicon.Things, 3, words => Lexicon.KindOf(words[^1]),
            "what kind of thing is the last one", "name the kind of the last word", "which group does the last word belong to");
        yield return Fact("opposite", Lexicon.Adjectives, Lexicon.OppositeOf,
            "name the opposite", "give the opposite of this word", "what is it not", "say the contrary", "which word means the reverse");
        yield return Fact("opposite-of-first", Lexicon.Adjectives, 3, words => Lexicon.OppositeOf(words[0]),
            "name the opposite of the first word", "say the contrary of the first one", "which word means the reverse of the first");
        yield return Fact("capital", Lexicon.Countries, Lexicon.CapitalOf,
            "name the capital", "which city rules this country", "give the capital of this country", "what is the main city");
        yield return Fact("capital-of-first", Lexicon.Countries, 3, words => Lexicon.CapitalOf(words[0]),
            "name the capital of the first word", "which city rules the first country", "give the main city of the first one");
        yield return Fact("country", Lexicon.Cities, Lexicon.CountryOf,
            "name the country", "which country is it in", "give the country of this city");
        yield return Fact("country-of-last", Lexicon.Cities, 3, words => Lexicon.CountryOf(words[^1]),
            "name the country of the last word", "which country is the last city in", "give the country of the last one");
        yield return Fact("next-number", Lexicon.Numbers, Lexicon.After,
            "name the next number", "what number comes after", "count one more", "add one to it");
        yield return Fact("next-number-of-last", Lexicon.Numbers, 3, words => Lexicon.After(words[^1]),
            "name the number after the last word", "add one to the last number", "count one more than the last one");
        yield return Fact("next-number-of-first", Lexicon.Numbers, 3, words => Lexicon.After(words[0]),
            "name the number after the first word", "add one to the first number", "count one more than the first one");
    }

    private static IEnumerable<TaskDefinition> PickingOut()
    {
        foreach ((var kind, var things) in Lexicon.Kinds)
        {
            yield return new TaskDefinition($"pick-{kind}",
                [$"which one is a kind of {kind}", $"name the {kind}", $"pick the {kind} out of the list"], random =>
            {
                var answer = random.Pick(things);
                var others = random.Several([.. Lexicon.Things.Except(things)], random.Next(1, 4));
                string[] list = [.. others, answer];
                random.Shuffle(list);
                return (string.Join(' ', list), answer);
            });
        }
    }

    private static TaskDefinition List(string name, int least, int most, Func<string[], string> answer, params string[] wordings) =>
        new(name, wordings, random =>
        {
            var words = random.Several(Lexicon.All, random.Next(least, most + 1));
            return (string.Join(' ', words), answer(words));
        });

    private static TaskDefinition Fact(string name, string[] domain, Func<string, string> answer, params string[] wordings) =>
        Fact(name, domain, 1, words => answer(words[0]), wordings);

    private static TaskDefinition Fact(string name, string[] domain, int count, Func<string[], string> answer, params string[] wordings) =>
        new(name, wordings, random =>
        {
            var words = random.Several(domain, count == 1 ? 1 : random.Next(2, count + 1));
            return (string.Join(' ', words), answer(words));
        });
}
