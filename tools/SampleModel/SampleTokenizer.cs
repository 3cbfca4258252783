namespace FedKSeed.SampleModel;

/// <summary>The sample model's tokenizer, for the generated text: lower-case words between single spaces.</summary>
internal sealed class SampleTokenizer
{
    public const string Padding = "<pad>", Beginning = "<s>", End = "</s>";

    /// <summary>Ids of the special tokens, which come first in the vocabulary.</summary>
    public const int PaddingId = 0, BeginningId = 1, EndId = 2;

    private readonly Dictionary<string, int> ids;
    private readonly Dictionary<(string, string), int> ranks;
    private readonly Dictionary<string, int[]> words = [];

    private SampleTokenizer(BytePairEncoding encoding)
    {
        Encoding = encoding;
        ids = encoding.Vocabulary.Select((piece, id) => (piece, id)).ToDictionary(pair => pair.piece, pair => pair.id);
        ranks = encoding.Merges.Select((pair, rank) => (pair, rank)).ToDictionary(pair => pair.pair, pair => pair.rank);
    }

    public static IReadOnlyList<string> SpecialTokens { get; } = [Padding, Beginning, End];

    public BytePairEncoding Encoding { get; }

    public static SampleTokenizer Train(IEnumerable<string> lines, int vocabularySize) =>
        new(BpeTrainer.Train(lines, SpecialTokens, vocabularySize));

    /// <summary>Token ids of a text, which is taken to have a space before its first word.</summary>
    public int[] Encode(string text) => [.. BpeTrainer.Split(text).SelectMany(EncodeWord)];

    private int[] EncodeWord(string word)
    {
        if (words.TryGetValue(word, out var known)) return known;
        return words[word] = [.. BpeTrainer.Encode(word, ranks).Select(piece => ids[piece])];
    }
}
