namespace FedKSeed.LanguageModels;

/// <summary>
/// Sequences side by side, padded on the right to the longest. With causal attention no token sees the padding behind
/// it, and a loss is taken at label positions only, so no mask is needed.
/// </summary>
public sealed class TokenBatch
{
    /// <exception cref="ArgumentException">There is no sequence, an empty one, or no label in any of them.</exception>
    public TokenBatch(IReadOnlyList<TokenSequence> sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        if (sequences.Count == 0 || sequences.Any(sequence => sequence.Ids.Length == 0 || sequence.Ids.Length != sequence.Labels.Length))
            throw new ArgumentException("A batch needs sequences, each with tokens and as many labels.", nameof(sequences));

        Rows = sequences.Count;
        Length = sequences.Max(sequence => sequence.Ids.Length);
        Ids = new long[Rows * Length];
        List<long> positions = [], targets = [];
        for (int row = 0; row < Rows; row++)
        {
            (int[] ids, int[] labels) = sequences[row];
            for (int t = 0; t < ids.Length; t++)
            {
                Ids[row * Length + t] = ids[t];
                // The logits at t predict token t + 1.
                if (t + 1 < ids.Length && labels[t + 1] != TokenSequence.Ignored)
                {
                    positions.Add(row * Length + t);
                    targets.Add(labels[t + 1]);
                }
            }
        }
        (Positions, Targets) = ([.. positions], [.. targets]);
        if (Targets.Length == 0)
            throw new ArgumentException("No token of the batch has a label.", nameof(sequences));
    }

    /// <summary>Number of sequences, B.</summary>
    public int Rows { get; }

    /// <summary>Length of the longest sequence, T.</summary>
    public int Length { get; }

    /// <summary>[B, T], row by row.</summary>
    internal long[] Ids { get; }

    /// <summary>[M], indices into <see cref="Ids"/> at which a token is predicted.</summary>
    internal long[] Positions { get; }

    /// <summary>[M], the tokens to be predicted there.</summary>
    internal long[] Targets { get; }
}
