using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

/// <summary>How quickly each pair of a head's elements turns, and how a context longer than the trained one is reached.</summary>
internal sealed record RotaryConfig
{
    /// <summary>d, even.</summary>
    public required int HeadSize { get; init; }

    /// <summary>θ, the base of the frequencies.</summary>
    public required double Theta { get; init; }

    /// <summary>Longest context of the training, in tokens.</summary>
    public required int TrainedLength { get; init; }

    /// <summary>How many times longer a context can be reached: 1 but for the scalings "linear" and "dynamic".</summary>
    public double Factor { get; init; } = 1;

    /// <summary>Whether θ grows with the text once it is longer than <see cref="TrainedLength"/>; else positions shrink by <see cref="Factor"/>.</summary>
    public bool IsDynamic { get; init; }

    /// <summary>Llama 3.1's scaling, which keeps the quick rotations; null for the others.</summary>
    public Stretch? Stretch { get; init; }

    /// <summary>Frequencies [d/2], radians a position, for a text of so many tokens.</summary>
    public float[] Frequencies(long length)
    {
        double theta = Theta;
        if (IsDynamic && length > TrainedLength)
            theta *= Math.Pow(Factor * length / TrainedLength - (Factor - 1), HeadSize / (HeadSize - 2.0));
        float[] frequencies = [.. Enumerable.Range(0, HeadSize / 2).Select(i => (float)(1.0 / Math.Pow(theta, 2.0 * i / HeadSize)))];
        return Stretch is not null ? Array.ConvertAll(frequencies, Stretch.Apply)
            : IsDynamic ? frequencies
            : Array.ConvertAll(frequencies, frequency => frequency / (float)Factor);
    }
}

/// <summary>Llama 3.1's longer context: slow rotations are slowed down by a factor, quick ones kept, those between blended.</summary>
/// <param name="Factor">How much slower the slow ones become.</param>
/// <param name="SlowTurns">Rotations with fewer turns than this in the shorter context are slow.</param>
/// <param name="QuickTurns">Rotations with more turns than this are quick.</param>
/// <param name="Context">The shorter context, in tokens.</param>
internal sealed record Stretch(double Factor, double SlowTurns, double QuickTurns, double Context)
{
    public float Apply(float frequency)
    {
        double turns = Context * frequency / (2 * Math.PI);
        double keep = Math.Clamp((turns - SlowTurns) / (QuickTurns - SlowTurns), 0, 1);
        return (float)(frequency * (keep + (1 - keep) / Factor));
    }
}

/// <summary>Cosines and sines of consecutive positions, [T, 1, d] each; of the sines the first half negated.</summary>
internal readonly record struct Rotation(Tensor Cos, Tensor Sin)
{
    /// <summary>
    /// Rotary position embedding (Su et al. 2021), halves convention: (a, b) → (a·cos − b·sin, b·cos + a·sin), where a and b
    /// are the halves of a head; x [B, T, heads, d].
    /// </summary>
    public Tensor Apply(Tensor x)
    {
        Tensor turned = x.roll(Cos.shape[2] / 2, -1); // (b, a)
        return (x * Cos).addcmul_(turned, Sin, 1);
    }
}

/// <summary>The rotations of all positions, so immutable.</summary>
internal sealed class RotaryEmbedding
{
    private readonly RotaryConfig _config;
    private readonly Rotation _table;

    /// <param name="config">What turns how quickly.</param>
    /// <param name="positions">Longest text, in tokens.</param>
    public RotaryEmbedding(RotaryConfig config, int positions)
    {
        _config = config;
        int rows = config.IsDynamic ? Math.Min(positions, config.TrainedLength) : positions;
        Rotation table = Table(config.Frequencies(rows), 0, rows);
        _table = new Rotation(table.Cos.DetachFromDisposeScope(), table.Sin.DetachFromDisposeScope());
    }

    /// <summary>Rotations of the positions from <paramref name="start"/> on, in a type; good until the caller's dispose scope ends.</summary>
    public Rotation At(long start, long length, ScalarType type)
    {
        // Beyond the trained length a dynamic scaling is another table for every length: as in the reference, what a
        // cache holds keeps the rotation it had.
        Rotation float32 = start + length > _table.Cos.shape[0]
            ? Table(_config.Frequencies(start + length), start, length)
            : new Rotation(_table.Cos.narrow(0, start, length), _table.Sin.narrow(0, start, length));
        return new Rotation(float32.Cos.to(type), float32.Sin.to(type));
    }

    // Angles are float32, as in the reference.
    private static Rotation Table(float[] frequencies, long start, long length)
    {
        int half = frequencies.Length, size = 2 * half;
        float[] cos = new float[length * size], sin = new float[length * size];
        for (int t = 0; t < length; t++)
        {
            for (int i = 0; i < half; i++)
            {
                float angle = (start + t) * frequencies[i];
                int at = t * size + i;
                cos[at] = cos[at + half] = MathF.Cos(angle);
                sin[at] = -MathF.Sin(angle);
                sin[at + half] = MathF.Sin(angle);
            }
        }
        return new Rotation(tensor(cos, [length, 1, size]), tensor(sin, [length, 1, size]));
    }
}
