using System.Buffers.Binary;
using System.Security.Cryptography;

namespace FedKSeed.Federation.Aggregation;

/// <summary>A report as a commit sees it: what it weighs and what it adds to which seeds.</summary>
/// <param name="Weight">W of SPEC 5.</param>
/// <param name="Seeds">Seed index of each step that gave a scalar.</param>
/// <param name="Contributions">η·g of each such step, in units of 2⁻⁴⁰.</param>
public readonly record struct WeightedReport(long Weight, ReadOnlyMemory<ushort> Seeds, ReadOnlyMemory<long> Contributions);

/// <summary>
/// K integers that are the trained model (SPEC 5): the sum of learning rate × scalar along each direction, in units of 2⁻⁴⁰.
/// </summary>
public static class Accumulators
{
    /// <summary>What one step adds: round-half-even(η · g · 2⁴⁰).</summary>
    public static long Contribution(double learningRate, float scalar) =>
        checked((long)Math.Round(learningRate * scalar * (1L << 40), MidpointRounding.ToEven));

    /// <summary>Weight of a report: examples × floor(65536 / √(1 + staleness) + ½).</summary>
    public static long Weight(int examples, int staleness)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(examples);
        ArgumentOutOfRangeException.ThrowIfNegative(staleness);
        return examples * (long)Math.Floor(65536.0 / Math.Sqrt(1.0 + staleness) + 0.5);
    }

    /// <summary>
    /// a[j] += round-half-even(Σᵢ Wᵢ·Cᵢⱼ / Σᵢ Wᵢ) for every seed that a report used. Exact, so the order of the reports cannot matter.
    /// </summary>
    /// <returns>New accumulators; the old ones when there are no reports.</returns>
    public static ReadOnlyMemory<long> Commit(ReadOnlyMemory<long> accumulators, IReadOnlyList<WeightedReport> reports)
    {
        if (reports.Count == 0)
            return accumulators;

        var numerators = new Int128[accumulators.Length];
        Int128 totalWeight = 0;
        foreach (var report in reports)
        {
            totalWeight += report.Weight;
            var seeds = report.Seeds.Span;
            var contributions = report.Contributions.Span;
            for (var step = 0; step < seeds.Length; step++)
                numerators[seeds[step]] = checked(numerators[seeds[step]] + (Int128)report.Weight * contributions[step]);
        }

        var next = accumulators.ToArray();
        for (var seed = 0; seed < next.Length; seed++)
            if (numerators[seed] != 0)
                next[seed] = checked(next[seed] + (long)DivideHalfEven(numerators[seed], totalWeight));
        return next;
    }

    /// <summary>SHA-256 over the accumulators as little-endian int64: what a commit's entry in the log vouches for.</summary>
    public static string Digest(ReadOnlySpan<long> accumulators)
    {
        var bytes = new byte[accumulators.Length * sizeof(long)];
        for (var seed = 0; seed < accumulators.Length; seed++)
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(seed * sizeof(long)), accumulators[seed]);
        return Convert.ToHexStringLower(SHA256.HashData(bytes));
    }

    /// <summary>The quotient rounded to the nearest integer, ties to even, for a positive divisor.</summary>
    internal static Int128 DivideHalfEven(Int128 dividend, Int128 divisor)
    {
        var (quotient, remainder) = Int128.DivRem(dividend, divisor);
        var twice = Int128.Abs(remainder) * 2;
        var away = twice > divisor || (twice == divisor && Int128.IsOddInteger(quotient));
        return away ? quotient + Int128.Sign(dividend) : quotient;
    }
}
