using System.Buffers;
using System.Globalization;
using System.Text;

namespace FedKSeed.Tokenization;

/// <summary>BPE as tokenizer.json describes it: normalise, cut into words, merge. Safe for use from several threads.</summary>
internal sealed class BpeEncoder(BpeSettings settings)
{
    private readonly WordEncoder _words = new(settings);

    /// <summary>The token that stands for a byte: &lt;0x00&gt; to &lt;0xFF&gt;.</summary>
    public static string ByteToken(int value) => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");

    public string Normalise(string text) => settings.Normalizers.Aggregate(text, (some, normalise) => normalise(some));

    /// <param name="text">Normalised, at least one character; no added token is in it.</param>
    /// <param name="isFirst">Whether the whole text begins with it; else an added token stands before.</param>
    /// <param name="queue">Merges for this thread.</param>
    /// <param name="limit">So many ids are enough; there may be more.</param>
    /// <param name="ids">Takes the ids.</param>
    public void Encode(string text, bool isFirst, MergeQueue queue, int limit, List<int> ids)
    {
        foreach (var word in Words(Piece.Of(text, isFirst), 0))
        {
            if (ids.Count >= limit)
                return;
            _words.Encode(word.Text, queue, limit, ids);
        }
    }

    public MergeQueue NewQueue() => new(settings.Merges);

    // Every splitter in turn cuts the pieces of the one before it.
    private IEnumerable<Piece> Words(Piece piece, int level) =>
        level == settings.Splitters.Count ? [piece]
        : level == settings.Splitters.Count - 1 ? settings.Splitters[level](piece)
        : settings.Splitters[level](piece).SelectMany(part => Words(part, level + 1));
}

/// <summary>What the tokenizer's file says of a BPE model and of the steps before it.</summary>
internal sealed record BpeSettings
{
    public required Dictionary<string, int> Vocabulary { get; init; }

    public required PairTable Merges { get; init; }

    /// <summary>Where words can be cut and give the same ids; null: nowhere.</summary>
    public required MergeJoints? Joints { get; init; }

    /// <summary>Applied one after the other.</summary>
    public required IReadOnlyList<Func<string, string>> Normalizers { get; init; }

    /// <summary>Applied one after the other.</summary>
    public required IReadOnlyList<Splitter> Splitters { get; init; }

    /// <summary>Whether the vocabulary is written in <see cref="ByteAlphabet"/>.</summary>
    public required bool IsByteLevel { get; init; }

    /// <summary>A piece that is in the vocabulary as a whole is one token, whatever the merges say.</summary>
    public required bool IgnoreMerges { get; init; }

    /// <summary>Whether a character that the vocabulary lacks becomes its UTF-8 bytes.</summary>
    public required bool ByteFallback { get; init; }

    /// <summary>The id of a character that is neither in the vocabulary nor falls back; null: it is left out.</summary>
    public required int? UnknownId { get; init; }

    /// <summary>Whether neighbouring unknown characters are one id.</summary>
    public required bool FuseUnknown { get; init; }
}

/// <summary>
/// Pairs of characters with a merge across them. No merge crosses any other, so what is left and right of one is merged on its own:
/// a document that is one word, as SentencePiece's are, falls into short ones, most of which were seen before.
/// </summary>
internal sealed class MergeJoints
{
    private readonly HashSet<ulong> _pairs = [];
    private readonly HashSet<int> _known = [];

    private MergeJoints()
    {
    }

    /// <param name="vocabulary">All tokens.</param>
    /// <param name="merges">Two tokens each.</param>
    /// <returns>Null where merges join tokens that are no characters, such as bytes.</returns>
    public static MergeJoints? Of(Dictionary<string, int> vocabulary, Merge[] merges)
    {
        MergeJoints joints = new();
        foreach (var token in vocabulary.Keys)
        {
            if (Rune.DecodeFromUtf16(token, out var rune, out var length) == OperationStatus.Done && length == token.Length)
                joints._known.Add(rune.Value);
        }
        foreach ((var left, var right, _) in merges)
        {
            if (IsByte(left) || IsByte(right))
                return null;
            _ = Rune.DecodeLastFromUtf16(left, out var last, out _);
            _ = Rune.DecodeFromUtf16(right, out var first, out _);
            joints._pairs.Add(Pair(last.Value, first.Value));
        }
        return joints;
    }

    /// <summary>Both characters are in the vocabulary, and no merge goes across them.</summary>
    public bool IsCut(int left, int right) => !_pairs.Contains(Pair(left, right)) && _known.Contains(left) && _known.Contains(right);

    // Multiplied by an odd number, so that each is still another: of (left, right) as it is, the set's own hash is left XOR right, the
    // same for all doubled characters.
    private static ulong Pair(int left, int right) => unchecked((((ulong)(uint)left << 32) | (uint)right) * 0x9E3779B97F4A7C15);

    private static bool IsByte(string token) => token.Contains("<0x", StringComparison.Ordinal);
}
