using FedKSeed.Perturbation.Directions;

namespace FedKSeed.LanguageModels.Generation;

/// <summary>How texts are continued.</summary>
/// <param name="MaxNewTokens">Longest continuation, in tokens, at least 1.</param>
/// <param name="Ends">Tokens that end a text; they are not part of it.</param>
/// <param name="Sampling">How tokens are drawn; null to take the most likely one.</param>
public sealed record GenerationSettings(int MaxNewTokens, IReadOnlyCollection<int> Ends, Sampling? Sampling = null);

/// <summary>
/// Draws tokens from the model's distribution: its logits over the temperature, of which the most likely ones are kept.
/// A draw is a pure function of the logits, the seed, the text's number and the position in it, so a text does not
/// depend on which others are written beside it.
/// </summary>
public sealed record Sampling
{
    /// <summary>More than 0: below 1 favours likely tokens, above 1 unlikely ones.</summary>
    public double Temperature { get; init; } = 1;

    /// <summary>As many of the most likely tokens are kept; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>The most likely tokens are kept until their probabilities add up to this; 1 keeps all.</summary>
    public double TopP { get; init; } = 1;

    public ulong Seed { get; init; }

    /// <summary>The number of the first text of a batch, so that one batch goes on where the last one ended.</summary>
    public int FirstText { get; init; }

    /// <exception cref="InvalidOperationException">The logits are not finite: the model is broken.</exception>
    internal int Draw(ReadOnlySpan<float> logits, int row, int position)
    {
        var words = Philox4x32.Generate(new((uint)position, (uint)(FirstText + row), 0, 0), Seed);
        return Choose(logits, ((((ulong)words.Word0 << 32) | words.Word1) >> 11) * (1.0 / (1UL << 53)));
    }

    /// <summary>The token at which the distribution's sum passes <paramref name="uniform"/>, in [0, 1).</summary>
    internal int Choose(ReadOnlySpan<float> logits, double uniform)
    {
        double largest = float.NegativeInfinity;
        foreach (var logit in logits)
            largest = Math.Max(largest, logit); // NaN stays
        if (!double.IsFinite(largest))
            throw new InvalidOperationException("The model's logits are not finite.");
        var weights = new double[logits.Length];
        for (var id = 0; id < weights.Length; id++)
            weights[id] = Math.Exp((logits[id] - largest) / Temperature);

        var kept = Kept(weights);
        var left = uniform * kept.Sum(id => weights[id]);
        foreach (var id in kept)
        {
            left -= weights[id];
            if (left < 0)
                return id;
        }
        // Rounding may leave a trace of the sum behind the last one.
        return Array.FindLast(kept, id => weights[id] > 0);
    }

    /// <summary>The tokens to draw from, the most likely first where that matters; top-k before top-p.</summary>
    private int[] Kept(double[] weights)
    {
        int[] ids = [.. Enumerable.Range(0, weights.Length)];
        if (TopK == 0 && TopP >= 1)
            return ids;
        Array.Sort(ids, (a, b) => weights[b] != weights[a] ? weights[b].CompareTo(weights[a]) : a.CompareTo(b));
        if (TopK > 0 && TopK < ids.Length)
            ids = ids[..TopK];
        double enough = TopP * ids.Sum(id => weights[id]), sum = 0;
        var count = 0;
        while (count < ids.Length && (count == 0 || sum < enough))
            sum += weights[ids[count++]];
        return ids[..count];
    }
}
