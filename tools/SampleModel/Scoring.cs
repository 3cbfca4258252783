using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace FedKSeed.SampleModel;

internal static class Scoring
{
    private const int BatchSize = 64;

    /// <summary>
    /// Mean loss over all labels, and the share of sequences whose answer greedy decoding would give exactly: that is so
    /// when every label, the end token included, has the largest logit after the true answer before it.
    /// </summary>
    public static (double Loss, double ExactMatch) Score(Llama model, IReadOnlyList<Sequence> sequences)
    {
        using var noGrad = no_grad();
        (double total, var labels, var exact) = (0, 0, 0);
        foreach (var chunk in sequences.Chunk(BatchSize))
        {
            using var scope = NewDisposeScope();
            var batch = Batch.Of(chunk);
            var logits = model.Logits(batch.Ids, batch.Positions);
            total += F.cross_entropy(logits, batch.Labels, reduction: nn.Reduction.Sum).item<float>();
            var right = logits.argmax(1).eq(batch.Labels).data<bool>().ToArray();
            labels += right.Length;
            exact += chunk.Length - batch.Rows.Zip(right).Where(pair => !pair.Second).Select(pair => pair.First).Distinct().Count();
        }
        return (total / labels, (double)exact / sequences.Count);
    }
}
