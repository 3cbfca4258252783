namespace FedKSeed.Perturbation.Directions;

/// <summary>Random numbers one after another, the same ones for a key and a stream on every machine and in every version of .NET.</summary>
/// <param name="key">The seed.</param>
/// <param name="stream">Streams of one key are independent of one another.</param>
public sealed class PhiloxSequence(ulong key, ulong stream)
{
    private Philox4x32.Block _words;
    private int _used = 4;
    private ulong _block;

    /// <summary>Uniform in [0, 1), 53 bits.</summary>
    public double Uniform() => ((((ulong)Word() << 32) | Word()) >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [0, <paramref name="count"/>), but for a bias of at most count · 2⁻³².</summary>
    public int Below(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        return (int)(((ulong)Word() * (uint)count) >> 32);
    }

    /// <summary>Fisher–Yates.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = 0; i < items.Length - 1; i++)
        {
            var other = i + Below(items.Length - i);
            (items[i], items[other]) = (items[other], items[i]);
        }
    }

    /// <summary>A draw from the symmetric Dirichlet distribution: <paramref name="count"/> shares that add up to 1.</summary>
    /// <param name="alpha">Concentration, more than 0: small for few large shares, large for equal ones.</param>
    public double[] Dirichlet(int count, double alpha)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(alpha);
        // By logarithms: for a small alpha all the variates themselves may vanish.
        var logs = new double[count];
        for (var i = 0; i < count; i++)
            logs[i] = LogGamma(alpha);
        var largest = logs.Max();
        var sum = logs.Sum(log => Math.Exp(log - largest));
        return [.. logs.Select(log => Math.Exp(log - largest) / sum)];
    }

    /// <summary>The logarithm of a Gamma(shape, 1) variate: Marsaglia and Tsang 2000, with their boost below 1.</summary>
    private double LogGamma(double shape)
    {
        if (shape < 1)
            return LogGamma(shape + 1) + Math.Log(1 - Uniform()) / shape;
        double d = shape - 1.0 / 3, c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            double x = Normal(), v = Math.Pow(1 + c * x, 3);
            if (v > 0 && Math.Log(1 - Uniform()) < x * x / 2 + d - d * v + d * Math.Log(v))
                return Math.Log(d) + Math.Log(v);
        }
    }

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - Uniform())) * Math.Cos(2 * Math.PI * Uniform());

    private uint Word()
    {
        if (_used == 4)
        {
            _words = Philox4x32.Generate(new((uint)_block, (uint)(_block >> 32), (uint)stream, (uint)(stream >> 32)), key);
            (_block, _used) = (_block + 1, 0);
        }
        return _words[_used++];
    }
}
