using System.Numerics;
using CsCheck;
using FedKSeed.Contracts;
using FedKSeed.Federation.Aggregation;

namespace FedKSeed.Federation.Tests;

public class AccumulatorTests
{
    private static readonly Gen<WeightedReport> AReport =
        from weight in Gen.Long[1, 1L << 40]
        from steps in Gen.Select(Gen.UShort[0, 15], Gen.Long[-(1L << 45), 1L << 45]).Array[0, 8]
        select new WeightedReport(weight, steps.Select(step => step.Item1).ToArray(), steps.Select(step => step.Item2).ToArray());

    [Fact]
    public void The_order_of_reports_does_not_matter() =>
        Gen.Select(AReport.Array[1, 6], Gen.Int).Sample((reports, order) =>
        {
            var shuffled = reports.OrderBy(_ => order = order * 1103515245 + 12345).ToArray();
            Assert.Equal(
                Accumulators.Commit(new long[16], reports).ToArray(), Accumulators.Commit(new long[16], shuffled).ToArray());
        });

    [Fact]
    public void A_commit_is_the_weighted_mean_rounded_half_to_even() =>
        AReport.Array[1, 6].Sample(reports =>
        {
            var committed = Accumulators.Commit(new long[16], reports).ToArray();
            for (var seed = 0; seed < 16; seed++)
            {
                var numerator = reports.Aggregate(BigInteger.Zero, (sum, report) => sum + report.Weight * SumFor(report, seed));
                var weight = reports.Aggregate(BigInteger.Zero, (sum, report) => sum + report.Weight);
                // |2·(mean − rounded)| ≤ 1, and a tie went to an even number.
                var twiceError = BigInteger.Abs(2 * (numerator - committed[seed] * weight));
                Assert.True(twiceError < weight || (twiceError == weight && committed[seed] % 2 == 0));
            }
        });

    [Fact]
    public void No_reports_change_nothing() =>
        Assert.Equal([1L, -2L], Accumulators.Commit(new[] { 1L, -2L }, []).ToArray());

    [Theory]
    [InlineData(5, 2, 2)]
    [InlineData(7, 2, 4)]
    [InlineData(-5, 2, -2)]
    [InlineData(-7, 2, -4)]
    [InlineData(7, 3, 2)]
    [InlineData(8, 3, 3)]
    [InlineData(-8, 3, -3)]
    public void Ties_go_to_the_even_number(int dividend, int divisor, int quotient) =>
        Assert.Equal(quotient, Accumulators.DivideHalfEven(dividend, divisor));

    [Fact]
    public void A_stale_report_weighs_less_by_the_root_of_its_staleness()
    {
        Assert.Equal(100 * 65536, Accumulators.Weight(100, 0));
        Assert.Equal(100 * 46341, Accumulators.Weight(100, 1));
        Assert.Equal(100 * 32768, Accumulators.Weight(100, 3));
    }

    [Fact]
    public void Quantisation_takes_the_smallest_shift_that_fits() =>
        Gen.Select(Gen.Int[1, 5000], Gen.Int[0, 62]).SelectMany((count, bits) => Gen.Long[-(1L << bits), 1L << bits].Array[count])
            .Sample(
                accumulators =>
                {
                    var (values, shift) = (QuantisedAccumulators.Of(accumulators) is var q ? q.Values.ToArray() : [], q.Shift);
                    var limit = QuantisedAccumulators.Limit(accumulators.Length);
                    Assert.All(values, value => Assert.InRange(value, -limit, limit));
                    for (var seed = 0; seed < values.Length; seed++)
                    {
                        var twiceError = BigInteger.Abs(2 * (accumulators[seed] - ((BigInteger)values[seed] << shift)));
                        Assert.True(twiceError <= BigInteger.One << shift || shift == 0 && twiceError == 0);
                    }
                    if (shift > 0)
                        Assert.Contains(accumulators, value => (BigInteger.Abs(value) >> (shift - 1)) >= limit);
                },
                iter: 200);

    [Fact]
    public void The_quantised_values_of_a_pool_of_4096_take_20_bits()
    {
        Assert.Equal(20, QuantisedAccumulators.BitsPerValue(4096));
        Assert.Equal(16, QuantisedAccumulators.BitsPerValue(65_536));
        Assert.Equal(20, QuantisedAccumulators.BitsPerValue(1));
    }

    private static BigInteger SumFor(WeightedReport report, int seed)
    {
        BigInteger sum = 0;
        for (var step = 0; step < report.Seeds.Length; step++)
            if (report.Seeds.Span[step] == seed)
                sum += report.Contributions.Span[step];
        return sum;
    }
}
