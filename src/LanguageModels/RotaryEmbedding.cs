using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

/// <summary>
/// Rotary position embedding (Su et al. 2021), halves convention: (a, b) → (a·cos − b·sin, b·cos + a·sin), where a and b
/// are the halves of a head. A table of all positions, so immutable.
/// </summary>
internal sealed class RotaryEmbedding
{
    private readonly Tensor _cos; // [positions, 1, d]
    private readonly Tensor _sin; // [positions, 1, d], the first half negated
    private readonly int _headSize;

    /// <param name="inverseFrequencies">[d/2], radians a position.</param>
    /// <param name="positions">Rows of the table.</param>
    public RotaryEmbedding(float[] inverseFrequencies, int positions)
    {
        int half = inverseFrequencies.Length;
        _headSize = 2 * half;
        float[] cos = new float[positions * _headSize], sin = new float[positions * _headSize];
        for (int t = 0; t < positions; t++)
        {
            for (int i = 0; i < half; i++)
            {
                float angle = t * inverseFrequencies[i];
                int at = t * _headSize + i;
                cos[at] = cos[at + half] = MathF.Cos(angle);
                sin[at] = -MathF.Sin(angle);
                sin[at + half] = MathF.Sin(angle);
            }
        }
        _cos = tensor(cos, [positions, 1, _headSize]).DetachFromDisposeScope();
        _sin = tensor(sin, [positions, 1, _headSize]).DetachFromDisposeScope();
    }

    /// <summary>1/θ^(2i/d), as the reference computes it.</summary>
    public static float[] InverseFrequencies(int headSize, double theta) =>
        [.. Enumerable.Range(0, headSize / 2).Select(i => (float)(1.0 / Math.Pow(theta, 2.0 * i / headSize)))];

    /// <summary>Llama 3.1's longer context: slow rotations are slowed down by a factor, quick ones kept, those between blended.</summary>
    /// <param name="frequencies">Those of the shorter context.</param>
    /// <param name="factor">How much slower the slow ones become.</param>
    /// <param name="slowTurns">Rotations with fewer turns than this in the shorter context are slow.</param>
    /// <param name="quickTurns">Rotations with more turns than this are quick.</param>
    /// <param name="context">The shorter context, in tokens.</param>
    public static float[] Stretch(float[] frequencies, double factor, double slowTurns, double quickTurns, double context) =>
        Array.ConvertAll(frequencies, frequency =>
        {
            double turns = context * frequency / (2 * Math.PI);
            double keep = Math.Clamp((turns - slowTurns) / (quickTurns - slowTurns), 0, 1);
            return (float)(frequency * (keep + (1 - keep) / factor));
        });

    /// <summary>Turns x [B, T, heads, d], whose first token is at position <paramref name="start"/>.</summary>
    public Tensor Apply(Tensor x, long start)
    {
        long length = x.shape[1];
        Tensor turned = x.roll(_headSize / 2, -1); // (b, a)
        return (x * _cos.narrow(0, start, length)).addcmul_(turned, _sin.narrow(0, start, length), 1);
    }
}
