namespace FedKSeed.SampleModel;

/// <summary>The closed world that the sample model lives in: a few hundred words and the facts that relate them.</summary>
internal static class Lexicon
{
    /// <summary>Kind of thing → things of that kind. No word belongs to two kinds.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> Kinds = new Dictionary<string, string[]>
    {
        ["animal"] = Words("dog cat horse cow sheep goat lion tiger wolf bear mouse rabbit"),
        ["fruit"] = Words("apple pear plum grape lemon cherry peach mango melon banana fig lime"),
        ["tool"] = Words("hammer saw drill axe shovel knife rake wrench chisel ladder pliers spade"),
        ["garment"] = Words("shirt coat hat sock shoe glove scarf dress skirt belt boot jacket"),
        ["furniture"] = Words("chair table bed desk sofa shelf lamp stool bench drawer couch cabinet"),
        ["vehicle"] = Words("car bus train truck bike boat ship plane tram taxi van tractor"),
        ["drink"] = Words("water milk tea coffee juice wine beer soda cider cocoa lemonade punch"),
        ["instrument"] = Words("piano violin drum flute guitar harp trumpet cello horn banjo organ tuba"),
    };

    /// <summary>Pairs of opposites; each is the other's opposite.</summary>
    public static readonly (string, string)[] Opposites = Pairs(
        "hot cold big small fast slow old young light dark hard soft wet dry full empty high low long short rich poor clean dirty " +
        "strong weak loud quiet happy sad early late open closed deep shallow wide narrow thick thin cheap dear sharp blunt " +
        "sweet bitter near far good bad brave timid safe risky rough smooth");

    /// <summary>Countries and their capitals.</summary>
    public static readonly (string Country, string Capital)[] Capitals = Pairs(
        "france paris spain madrid italy rome japan tokyo egypt cairo peru lima cuba havana norway oslo greece athens kenya nairobi " +
        "china beijing russia moscow austria vienna poland warsaw ireland dublin chile santiago sweden stockholm portugal lisbon " +
        "turkey ankara iran tehran thailand bangkok canada ottawa finland helsinki hungary budapest");

    /// <summary>Numbers in order.</summary>
    public static readonly string[] Numbers = Words("one two three four five six seven eight nine ten eleven twelve");

    public static readonly string[] Things = [.. Kinds.Values.SelectMany(words => words)];

    public static readonly string[] Adjectives = [.. Opposites.SelectMany(pair => new[] { pair.Item1, pair.Item2 })];

    public static readonly string[] Countries = [.. Capitals.Select(pair => pair.Country)];

    public static readonly string[] Cities = [.. Capitals.Select(pair => pair.Capital)];

    public static readonly string[] All = [.. Things, .. Adjectives, .. Countries, .. Cities, .. Numbers];

    private static readonly Dictionary<string, string> KindByThing =
        Kinds.SelectMany(kind => kind.Value.Select(thing => (thing, kind.Key))).ToDictionary(pair => pair.thing, pair => pair.Key);

    private static readonly Dictionary<string, string> OppositeByWord =
        Opposites.SelectMany(pair => new[] { pair, (pair.Item2, pair.Item1) }).ToDictionary(pair => pair.Item1, pair => pair.Item2);

    private static readonly Dictionary<string, string> CapitalByCountry = Capitals.ToDictionary(pair => pair.Country, pair => pair.Capital);

    private static readonly Dictionary<string, string> CountryByCapital = Capitals.ToDictionary(pair => pair.Capital, pair => pair.Country);

    public static string KindOf(string thing) => KindByThing[thing];

    public static string OppositeOf(string adjective) => OppositeByWord[adjective];

    public static string CapitalOf(string country) => CapitalByCountry[country];

    public static string CountryOf(string capital) => CountryByCapital[capital];

    public static string After(string number) => Numbers[(Array.IndexOf(Numbers, number) + 1) % Numbers.Length];

    private static string[] Words(string text) => text.Split(' ');

    private static (string, string)[] Pairs(string text) => [.. Words(text).Chunk(2).Select(pair => (pair[0], pair[1]))];
}
