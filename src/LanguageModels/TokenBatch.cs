using FedKSeed.InstructionData;

namespace FedKSeed.LanguageModels;

/// <summary>
/// Sequences side by side. Tokens behind a sequence's last label are dropped: under causal attention they change no
/// logits that count. The rest lie end to end, without padding, for everything that treats tokens one by one, which is nearly all of the
/// work; attention alone lays them out in a rectangle of cells, [B, T], where the padding on the right is seen by no token.
/// </summary>
public sealed class TokenBatch
{
    /// <exception cref="ArgumentException">There is no sequence, an empty one, or no label in any of them.</exception>
    public TokenBatch(IReadOnlyList<TokenSequence> sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        if (sequences.Any(sequence => sequence.Ids.Length == 0 || sequence.Ids.Length != sequence.Labels.Length))
            throw new ArgumentException("Every sequence of a batch needs tokens, and as many labels.", nameof(sequences));

        int[] lengths = [.. sequences.Select(InputLength)];
        Rows = lengths.Count(length => length > 0);
        Length = lengths.Length == 0 ? 0 : lengths.Max();
        if (Length == 0)
            throw new ArgumentException("No token of the batch has a label.", nameof(sequences));

        Ids = new long[lengths.Sum()];
        TokenCells = new long[Ids.Length];
        Cells = new long[Rows * Length];
        List<long> positions = [], targets = [];
        int token = 0, cell = 0;
        foreach ((var sequence, var length) in sequences.Zip(lengths).Where(pair => pair.Second > 0))
        {
            for (var t = 0; t < length; t++, token++)
            {
                Ids[token] = sequence.Ids[t];
                TokenCells[token] = cell + t;
                Cells[cell + t] = token;
                // The logits at t predict token t + 1.
                if (sequence.Labels[t + 1] != TokenSequence.Ignored)
                {
                    positions.Add(token);
                    targets.Add(sequence.Labels[t + 1]);
                }
            }
            cell += Length;
        }
        (Positions, Targets) = ([.. positions], [.. targets]);
    }

    private TokenBatch(TokenBatch source, int length, long[] ids, long[] cells, long[] tokenCells, long[] positions)
    {
        (Rows, Targets, Length) = (source.Rows, source.Targets, length);
        (Ids, Cells, TokenCells, Positions) = (ids, cells, tokenCells, positions);
    }

    /// <summary>Number of sequences that have a label, B.</summary>
    public int Rows { get; }

    /// <summary>Tokens of the longest sequence that are run through the model, T.</summary>
    public int Length { get; }

    /// <summary>Tokens that are run through the model, N: those before the last label of their sequence.</summary>
    public int TokenCount => Ids.Length;

    /// <summary>Tokens that are predicted, M.</summary>
    public int LabelCount => Targets.Length;

    /// <summary>[N], token ids, sequence after sequence.</summary>
    internal long[] Ids { get; }

    /// <summary>[N], each token's place in the rectangle.</summary>
    internal long[] TokenCells { get; }

    /// <summary>[B·T], the token in each place of the rectangle; padding holds token 0.</summary>
    internal long[] Cells { get; }

    /// <summary>[M], indices of tokens at which the next one is predicted.</summary>
    internal long[] Positions { get; }

    /// <summary>[M], the ids to be predicted there.</summary>
    internal long[] Targets { get; }

    /// <summary>The batch with virtual tokens before each of its texts. What is predicted, and how it counts, stays the same.</summary>
    /// <param name="count">How many.</param>
    /// <param name="firstId">Id of the first; the others follow.</param>
    internal TokenBatch WithPrefix(int count, int firstId)
    {
        var length = Length + count;
        var ids = new long[Ids.Length + Rows * count];
        var (cells, tokenCells) = (new long[Rows * length], new long[ids.Length]);
        var moved = new long[Ids.Length]; // where each token is now
        var at = 0;
        void Add(long id, long cell)
        {
            (ids[at], tokenCells[at], cells[cell]) = (id, cell, at);
            at++;
        }
        for (var token = 0; token < Ids.Length; token++)
        {
            var (row, column) = Math.DivRem(TokenCells[token], Length);
            for (var k = 0; column == 0 && k < count; k++)
                Add(firstId + k, row * length + k);
            moved[token] = at;
            Add(Ids[token], row * length + count + column);
        }
        return new TokenBatch(this, length, ids, cells, tokenCells, Array.ConvertAll(Positions, position => moved[position]));
    }

    /// <summary>Texts of one length, row by row, with virtual tokens before each.</summary>
    internal static long[] WithPrefix(long[] ids, int rows, int count, int firstId)
    {
        var length = ids.Length / rows;
        return [.. Enumerable.Range(0, rows).SelectMany(row =>
            Enumerable.Range(0, count).Select(k => (long)firstId + k).Concat(ids.AsSpan(row * length, length).ToArray()))];
    }

    /// <summary>Tokens before the last label, which is itself never read.</summary>
    private static int InputLength(TokenSequence sequence) =>
        Math.Max(sequence.Labels.AsSpan().LastIndexOfAnyExcept(TokenSequence.Ignored), 0);
}
