namespace FedKSeed.Federation.Sampling;

/// <summary>
/// How large the projected gradients along each direction have been (FedKSeed-Pro; SPEC 7): counts and sums kept as integers, so that
/// everybody who folds the log has the same ones.
/// </summary>
/// <param name="Counts">Accepted scalars per seed.</param>
/// <param name="Amplitudes">Σ |clip(g, ±c)| per seed, in units of 2⁻²⁴.</param>
public sealed record Importance(ReadOnlyMemory<int> Counts, ReadOnlyMemory<long> Amplitudes)
{
    private const double AmplitudeUnit = 1.0 / (1 << 24);

    public static Importance None(int seedCount) => new(new int[seedCount], new long[seedCount]);

    /// <summary>Mean amplitude of a seed, 0 for one without history.</summary>
    public double Mean(int seed) => Mean(seed, emptyObservations: 0);

    private double Mean(int seed, int emptyObservations) =>
        Counts.Span[seed] == 0 ? 0 : Amplitudes.Span[seed] * AmplitudeUnit / (Counts.Span[seed] + emptyObservations);

    public Importance Add(IEnumerable<(ReadOnlyMemory<ushort> Seeds, ReadOnlyMemory<float> Scalars)> reports, double clip)
    {
        var (counts, amplitudes) = (Counts.ToArray(), Amplitudes.ToArray());
        foreach (var (seeds, scalars) in reports)
        {
            for (var step = 0; step < seeds.Length; step++)
            {
                var seed = seeds.Span[step];
                counts[seed]++;
                amplitudes[seed] += Amplitude(scalars.Span[step], clip);
            }
        }
        return new Importance(counts, amplitudes);
    }

    /// <summary>
    /// Sampling weights as integers that add up to less than 2⁶³: mean amplitude, min–max normalised over the pool, through
    /// exp (the softmax before its division). All equal when every seed has the same mean.
    /// </summary>
    /// <param name="emptyObservations">Observations of amplitude 0 that every seed's history begins with.</param>
    public ulong[] SamplingWeights(int emptyObservations = 0)
    {
        var means = new double[Counts.Length];
        for (var seed = 0; seed < means.Length; seed++)
            means[seed] = Mean(seed, emptyObservations);
        var (least, most) = (means.Min(), means.Max());
        var weights = new ulong[means.Length];
        for (var seed = 0; seed < weights.Length; seed++)
        {
            var normalised = most > least ? (means[seed] - least) / (most - least) : 0;
            weights[seed] = (ulong)(Exp(normalised) * (1L << 40));
        }
        return weights;
    }

    private static long Amplitude(float scalar, double clip) =>
        (long)Math.Round(Math.Min(Math.Abs((double)scalar), clip) / AmplitudeUnit, MidpointRounding.ToEven);

    /// <summary>
    /// e^x on [0, 1] by its series in Horner form: only correctly rounded operations, where Math.Exp differs between platforms in the
    /// last bit and two machines could draw different seeds. Twenty terms leave an error below the last bit of a double.
    /// </summary>
    private static double Exp(double x)
    {
        var sum = 1.0;
        for (var n = 20; n >= 1; n--)
            sum = 1.0 + sum * x / n;
        return sum;
    }
}
