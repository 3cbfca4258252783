using static TorchSharp.torch;

namespace FedKSeed.SampleModel;

/// <summary>A sequence with the place from which on its tokens are to be learnt.</summary>
internal sealed record Sequence(int[] Ids, int FirstLabel);

/// <summary>Sequences padded on the right, and which of their tokens are labels.</summary>
/// <param name="Ids">Token ids [B, T].</param>
/// <param name="Positions">Flat positions [N] in B × T whose next token is a label.</param>
/// <param name="Labels">The labels [N].</param>
/// <param name="Rows">The sequence that each label belongs to.</param>
internal sealed record Batch(Tensor Ids, Tensor Positions, Tensor Labels, int[] Rows)
{
    public static Batch Of(IReadOnlyList<Sequence> sequences)
    {
        var length = sequences.Max(sequence => sequence.Ids.Length) - 1;
        var ids = new long[sequences.Count * length];
        Array.Fill(ids, SampleTokenizer.PaddingId);
        List<long> positions = [], labels = [];
        List<int> rows = [];
        for (var row = 0; row < sequences.Count; row++)
        {
            var sequence = sequences[row];
            for (var i = 0; i + 1 < sequence.Ids.Length; i++)
            {
                ids[(row * length) + i] = sequence.Ids[i];
                if (i + 1 < sequence.FirstLabel) continue;
                positions.Add((row * length) + i);
                labels.Add(sequence.Ids[i + 1]);
                rows.Add(row);
            }
        }
        return new Batch(tensor(ids).view(sequences.Count, length), tensor(positions.ToArray()), tensor(labels.ToArray()), [.. rows]);
    }
}
