using System.Text;

namespace FedKSeed.SampleModel;

/// <summary>A byte-level byte-pair encoding: the pieces in order of their ids, and the merges in order of their rank.</summary>
internal sealed record BytePairEncoding(IReadOnlyList<string> Vocabulary, IReadOnlyList<(string Left, string Right)> Merges);

/// <summary>
/// Trains a byte-level BPE as GPT-2's: text is cut into words with their leading space, bytes are written as printable
/// characters, and the most frequent neighbouring pair is joined until the vocabulary is full.
/// </summary>
internal static class BpeTrainer
{
    /// <param name="lines">The text.</param>
    /// <param name="specialTokens">Pieces that come first in the vocabulary and take no part in merging.</param>
    /// <param name="vocabularySize">Number of pieces, special tokens and the 256 bytes included.</param>
    public static BytePairEncoding Train(IEnumerable<string> lines, IReadOnlyList<string> specialTokens, int vocabularySize)
    {
        List<string> vocabulary = [.. specialTokens, .. ByteAlphabet.Characters.Order().Select(c => c.ToString())];
        var merges = new List<(string, string)>();
        var words = CountWords(lines);
        while (vocabulary.Count < vocabularySize && TryFindMostFrequentPair(words, out var pair))
        {
            merges.Add(pair);
            vocabulary.Add(pair.Left + pair.Right);
            foreach ((var pieces, _) in words) Join(pieces, pair.Left, pair.Right);
        }
        return new BytePairEncoding(vocabulary, merges);
    }

    /// <summary>The pieces of one word under the merges given, lowest rank first.</summary>
    public static List<string> Encode(string word, IReadOnlyDictionary<(string, string), int> ranks)
    {
        List<string> pieces = [.. word.Select(c => c.ToString())];
        while (true)
        {
            (var best, (string Left, string Right) pair) = (int.MaxValue, ("", ""));
            for (var i = 0; i + 1 < pieces.Count; i++)
            {
                if (ranks.TryGetValue((pieces[i], pieces[i + 1]), out var rank) && rank < best) (best, pair) = (rank, (pieces[i], pieces[
                    i + 1]));
            }
            if (best == int.MaxValue) return pieces;
            Join(pieces, pair.Left, pair.Right);
        }
    }

    /// <summary>Words of a line, each with the space before it, in the printable byte alphabet. Enough for plain lower-case text.</summary>
    public static IEnumerable<string> Split(string line) => line.Split(' ').Select(word => ByteAlphabet.Encode(" " + word));

    private static List<(List<string> Pieces, long Count)> CountWords(IEnumerable<string> lines) =>
    [
        .. lines.SelectMany(Split).CountBy(word => word).OrderBy(word => word.Key, StringComparer.Ordinal)
            .Select(word => (word.Key.Select(c => c.ToString()).ToList(), (long)word.Value)),
    ];

    private static bool TryFindMostFrequentPair(List<(List<string> Pieces, long Count)> words, out (string Left, string Right) mostFrequent)
    {
        var counts = new Dictionary<(string, string), long>();
        foreach ((var pieces, var count) in words)
        {
            for (var i = 0; i + 1 < pieces.Count; i++)
            {
                var pair = (pieces[i], pieces[i + 1]);
                counts[pair] = counts.GetValueOrDefault(pair) + count;
            }
        }
        mostFrequent = counts.Count == 0 ? ("", "") : counts.OrderByDescending(pair => pair.Value)
            .ThenBy(pair => pair.Key.Item1, StringComparer.Ordinal).ThenBy(pair => pair.Key.Item2, StringComparer.Ordinal).First().Key;
        return counts.Count > 0;
    }

    private static void Join(List<string> pieces, string left, string right)
    {
        for (var i = 0; i + 1 < pieces.Count; i++)
        {
            if (pieces[i] != left || pieces[i + 1] != right) continue;
            pieces[i] = left + right;
            pieces.RemoveAt(i + 1);
        }
    }
}

/// <summary>GPT-2's way to write any byte as a printable character, so that a vocabulary can be kept as text.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] CharacterOf = Build();

    public static IEnumerable<char> Characters => CharacterOf;

    public static string Encode(string text) => string.Concat(Encoding.UTF8.GetBytes(text).Select(b => CharacterOf[b]));

    /// <summary>Printable bytes stand for themselves; the others take the characters from U+0100 on, in order.</summary>
    private static char[] Build()
    {
        var characters = new char[256];
        var next = 256;
        for (var b = 0; b < 256; b++)
        {
            var printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[b] = printable ? (char)b : (char)next++;
        }
        return characters;
    }
}
