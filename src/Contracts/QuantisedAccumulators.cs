namespace FedKSeed.Contracts;

/// <summary>A version of the model as it travels: every accumulator divided by 2ˢ and rounded to a few bits.</summary>
/// <param name="Values">q[j], |q[j]| ≤ <see cref="Limit"/>.</param>
/// <param name="Shift">s: the unit of q is 2^(s−40).</param>
public sealed record QuantisedAccumulators(ReadOnlyMemory<int> Values, int Shift)
{
    /// <summary>M: the largest |q| for which the sum over K seeds of directions within ±r still fits an int32.</summary>
    /// <param name="seedCount">K.</param>
    /// <param name="rank">r: <see cref="DirectionSpace.LargestRank"/>.</param>
    public static int Limit(int seedCount, int rank = 1) => Math.Min((1 << 19) - 1, int.MaxValue / (seedCount * rank));

    /// <summary>Bits of one q in two's complement: 20 at K = 4096.</summary>
    public static int BitsPerValue(int seedCount, int rank = 1) => 33 - int.LeadingZeroCount(Limit(seedCount, rank));

    /// <summary>The smallest shift at which every value fits, and the values at it, rounded half to even.</summary>
    public static QuantisedAccumulators Of(ReadOnlySpan<long> accumulators, int rank = 1)
    {
        var limit = Limit(accumulators.Length, rank);
        var shift = 0;
        while (!Fits(accumulators, shift, limit))
            shift++;
        var values = new int[accumulators.Length];
        for (var seed = 0; seed < values.Length; seed++)
            values[seed] = (int)ShiftHalfEven(accumulators[seed], shift);
        return new QuantisedAccumulators(values, shift);
    }

    private static bool Fits(ReadOnlySpan<long> accumulators, int shift, int limit)
    {
        foreach (var value in accumulators)
            if (ShiftHalfEven(value, shift) is var quantised && (quantised > limit || quantised < -limit))
                return false;
        return true;
    }

    /// <summary>value / 2^shift, ties to even; the arithmetic shift floors, so the remainder is never negative.</summary>
    private static long ShiftHalfEven(long value, int shift)
    {
        if (shift == 0)
            return value;
        var floor = value >> shift;
        var remainder = value - (floor << shift);
        var half = 1L << (shift - 1);
        return remainder > half || (remainder == half && (floor & 1) == 1) ? floor + 1 : floor;
    }
}
