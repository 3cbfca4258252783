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

    /// <summary>Tokens before the last label, which is itself never read.</summary>
    private static int InputLength(TokenSequence sequence) =>
        Math.Max(sequence.Labels.AsSpan().LastIndexOfAnyExcept(TokenSequence.Ignored), 0);
}
