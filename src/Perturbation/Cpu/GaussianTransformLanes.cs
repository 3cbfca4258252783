using System.Runtime.CompilerServices;
using static FedKSeed.Perturbation.Cpu.GaussianTransform;

namespace FedKSeed.Perturbation.Cpu;

/// <summary><see cref="GaussianTransform"/>, operation for operation, on whole vectors.</summary>
internal static class GaussianTransformLanes<TSimd, TBits, TReal>
    where TSimd : ISimd<TBits, TReal>
    where TBits : unmanaged
    where TReal : unmanaged
{
    /// <summary>n of every element of the blocks whose Philox words (low halves) are given, in element order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiples(TBits word0, TBits word1, TBits word2, TBits word3, out TBits low, out TBits high)
    {
        // Words 0 and 2 of a block make radii, words 1 and 3 angles; each vector is then full.
        var radius = Radius(TSimd.EvenOdd(word0, TSimd.ShiftLeft64(word2, 32)));
        CosSin(TSimd.EvenOdd(word1, TSimd.ShiftLeft64(word3, 32)), out var cos, out var sin);
        var round = TSimd.Broadcast(RoundToInteger);
        var elements02 = TSimd.Subtract(TSimd.AsBits(TSimd.Fma(radius, cos, round)), TSimd.AsBits(round));
        var elements13 = TSimd.Subtract(TSimd.AsBits(TSimd.Fma(radius, sin, round)), TSimd.AsBits(round));
        low = TSimd.UnpackLow(elements02, elements13);
        high = TSimd.UnpackHigh(elements02, elements13);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TReal Radius(TBits words)
    {
        var bits = TSimd.AsBits(TSimd.Add(TSimd.ToReal(TSimd.ShiftRight(words, 1)), TSimd.Broadcast(0.5f)));
        var exponent = TSimd.ShiftRightArithmetic(TSimd.Subtract(bits, TSimd.Broadcast((uint)SqrtHalfBits)), 23);
        var f = TSimd.Add(TSimd.AsReal(TSimd.Subtract(bits, TSimd.ShiftLeft(exponent, 23))), TSimd.Broadcast(-1f));

        var p = TSimd.Fma(TSimd.Broadcast(Ln7), f, TSimd.Broadcast(Ln6));
        p = TSimd.Fma(p, f, TSimd.Broadcast(Ln5));
        p = TSimd.Fma(p, f, TSimd.Broadcast(Ln4));
        p = TSimd.Fma(p, f, TSimd.Broadcast(Ln3));
        p = TSimd.Fma(p, f, TSimd.Broadcast(Ln2));
        p = TSimd.Fma(p, f, TSimd.Broadcast(Ln1));
        p = TSimd.Fma(p, f, TSimd.Broadcast(Ln0));
        var power = TSimd.ToReal(TSimd.Subtract(exponent, TSimd.Broadcast((uint)UniformExponent)));
        var minusTwoLn = TSimd.Fma(power, TSimd.Broadcast(MinusTwoLn2), TSimd.Multiply(p, f));
        return TSimd.Multiply(TSimd.Sqrt(minusTwoLn), TSimd.Broadcast(1 / Unit));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CosSin(TBits words, out TReal cos, out TReal sin)
    {
        var quadrant = TSimd.ShiftRight(TSimd.Add(words, TSimd.Broadcast(HalfQuadrant)), 30);
        var v = TSimd.Multiply(TSimd.ToReal(TSimd.Subtract(words, TSimd.ShiftLeft(quadrant, 30))), TSimd.Broadcast(1f / HalfQuadrant));
        var square = TSimd.Multiply(v, v);

        var s = TSimd.Fma(TSimd.Broadcast(Sin3), square, TSimd.Broadcast(Sin2));
        s = TSimd.Fma(s, square, TSimd.Broadcast(Sin1));
        s = TSimd.Multiply(TSimd.Fma(s, square, TSimd.Broadcast(Sin0)), v);
        var c = TSimd.Fma(TSimd.Broadcast(Cos2), square, TSimd.Broadcast(Cos1));
        c = TSimd.Fma(c, square, TSimd.Broadcast(Cos0));
        c = TSimd.Fma(c, square, TSimd.Broadcast(1f));

        // Odd quadrants swap the two; cos is negative in quadrants 1 and 2, sin in 2 and 3.
        var even = TSimd.IsZero(TSimd.And(quadrant, TSimd.Broadcast(1u)));
        var signBit = TSimd.Broadcast(0x8000_0000);
        var cosSign = TSimd.And(TSimd.ShiftLeft(TSimd.Add(quadrant, TSimd.Broadcast(1u)), 30), signBit);
        var sinSign = TSimd.And(TSimd.ShiftLeft(quadrant, 30), signBit);
        cos = TSimd.AsReal(TSimd.Xor(TSimd.AsBits(TSimd.Select(even, c, s)), cosSign));
        sin = TSimd.AsReal(TSimd.Xor(TSimd.AsBits(TSimd.Select(even, s, c)), sinSign));
    }
}
