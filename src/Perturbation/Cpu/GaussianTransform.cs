using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Cpu;

/// <summary>
/// Box–Muller in float32 out of correctly rounded operations only (add, mul, fma, sqrt, int → float), so that a CPU of
/// any width and a GPU give the same bits. docs/GAUSSIAN.md derives the polynomials. This is the reference form, one block
/// at a time; the vectorised form is the same arithmetic, lane by lane.
/// </summary>
internal static class GaussianTransform
{
    /// <summary>What a multiple counts: z = n · 2⁻¹².</summary>
    public const float Unit = 1f / 4096;

    /// <summary>log₂ of <see cref="Unit"/>.</summary>
    public const int UnitExponent = -12;

    /// <summary>1.5 · 2²³: adding it leaves round-half-even(x) in the low bits of the sum's significand.</summary>
    public const float RoundToInteger = 12_582_912f;

    /// <summary>Bits of the float32 just above √½: subtracting them splits a float at m ∈ [√½, √2).</summary>
    public const int SqrtHalfBits = 0x3F35_04F3;

    /// <summary>The uniform is scaled by 2³¹, which its logarithm takes back.</summary>
    public const int UniformExponent = 31;

    /// <summary>−2 ln 2.</summary>
    public const float MinusTwoLn2 = -1.3862943649291992f;

    // −2 ln(1+f)/f on [√½−1, √2−1], from f⁰ upwards; largest error 4.4e-7.
    public const float Ln0 = -1.9999998807907104f;
    public const float Ln1 = 1.0000075101852417f;
    public const float Ln2 = -0.6666921377182007f;
    public const float Ln3 = 0.49937814474105835f;
    public const float Ln4 = -0.3982669711112976f;
    public const float Ln5 = 0.3455641269683838f;
    public const float Ln6 = -0.3225249648094177f;
    public const float Ln7 = 0.19790701568126678f;

    // sin(π/4·v)/v in powers of v² on [−1, 1]; largest error 2.4e-9.
    public const float Sin0 = 0.7853981852531433f;
    public const float Sin1 = -0.08074543625116348f;
    public const float Sin2 = 0.0024900068528950214f;
    public const float Sin3 = -3.595429006963968e-05f;

    // (cos(π/4·v) − 1)/v² in powers of v² on [−1, 1]; largest error 1.1e-7.
    public const float Cos0 = -0.30842503905296326f;
    public const float Cos1 = 0.015852345153689384f;
    public const float Cos2 = -0.0003206469409633428f;

    /// <summary>Half of a quadrant, in 2³² parts of a turn.</summary>
    public const uint HalfQuadrant = 1u << 29;

    /// <summary>n of the element at <paramref name="position"/> (0 to 3) of a block: |n| ≤ 27 281, z = n · 2⁻¹².</summary>
    public static int Multiple(Philox4x32.Block words, int position)
    {
        var pair = position & 2; // words (0,1) make normals 0 and 1, words (2,3) normals 2 and 3
        var radius = Radius(words[pair]);
        (var cos, var sin) = CosSin(words[pair + 1]);
        var n = MathF.FusedMultiplyAdd(radius, (position & 1) == 0 ? cos : sin, RoundToInteger);
        return BitConverter.SingleToInt32Bits(n) - BitConverter.SingleToInt32Bits(RoundToInteger);
    }

    /// <summary>2¹² · √(−2 ln u), u = (⌊word/2⌋ + ½) · 2⁻³¹ rounded to float32, in [2⁻³², 1].</summary>
    private static float Radius(uint word)
    {
        var scaled = (int)(word >> 1) + 0.5f;
        var bits = BitConverter.SingleToInt32Bits(scaled);
        var exponent = (bits - SqrtHalfBits) >> 23;
        var f = BitConverter.Int32BitsToSingle(bits - (exponent << 23)) - 1f;

        var p = MathF.FusedMultiplyAdd(Ln7, f, Ln6);
        p = MathF.FusedMultiplyAdd(p, f, Ln5);
        p = MathF.FusedMultiplyAdd(p, f, Ln4);
        p = MathF.FusedMultiplyAdd(p, f, Ln3);
        p = MathF.FusedMultiplyAdd(p, f, Ln2);
        p = MathF.FusedMultiplyAdd(p, f, Ln1);
        p = MathF.FusedMultiplyAdd(p, f, Ln0);
        var minusTwoLn = MathF.FusedMultiplyAdd(exponent - UniformExponent, MinusTwoLn2, p * f);
        return MathF.Sqrt(minusTwoLn) * (1 / Unit);
    }

    /// <summary>
    /// cos and sin of 2π · word · 2⁻³²: the nearest quarter turn by integers, the rest (|v| ≤ 1, in eighths) by polynomial.
    /// </summary>
    private static (float Cos, float Sin) CosSin(uint word)
    {
        var quadrant = (word + HalfQuadrant) >> 30;
        var v = (int)(word - (quadrant << 30)) * (1f / HalfQuadrant);
        var square = v * v;

        var s = MathF.FusedMultiplyAdd(Sin3, square, Sin2);
        s = MathF.FusedMultiplyAdd(s, square, Sin1);
        s = MathF.FusedMultiplyAdd(s, square, Sin0) * v;
        var c = MathF.FusedMultiplyAdd(Cos2, square, Cos1);
        c = MathF.FusedMultiplyAdd(c, square, Cos0);
        c = MathF.FusedMultiplyAdd(c, square, 1f);

        return quadrant switch
        {
            0 => (c, s),
            1 => (-s, c),
            2 => (-c, -s),
            _ => (s, -c),
        };
    }
}
