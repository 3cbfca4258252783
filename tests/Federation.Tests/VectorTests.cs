using System.Globalization;
using System.Text.Json;
using FedKSeed.Contracts;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Tests;

namespace FedKSeed.Federation.Tests;

public class VectorTests
{
    [Fact]
    public void Quantisation_gives_the_known_answers()
    {
        foreach (var given in Vectors.Json("quantisation.json").EnumerateArray())
        {
            var quantised = QuantisedAccumulators.Of(Longs(given.GetProperty("accumulators")));
            Assert.Equal(given.GetProperty("shift").GetInt32(), quantised.Shift);
            Assert.Equal(given.GetProperty("quantised").EnumerateArray().Select(q => q.GetInt32()), quantised.Values.ToArray());
        }
    }

    [Fact]
    public void Commits_give_the_known_answers()
    {
        foreach (var federation in Vectors.Json("commits.json").EnumerateArray())
        {
            var learningRate = federation.GetProperty("learning_rate").GetDouble();
            ReadOnlyMemory<long> accumulators = new long[federation.GetProperty("seeds").GetInt32()];
            foreach (var commit in federation.GetProperty("commits").EnumerateArray())
            {
                var reports = commit.GetProperty("reports").EnumerateArray().Select(report => Weighted(report, learningRate)).ToArray();
                accumulators = Accumulators.Commit(accumulators, reports);
                Assert.Equal(Longs(commit.GetProperty("accumulators")), accumulators.ToArray());
            }
        }
    }

    private static WeightedReport Weighted(JsonElement report, double learningRate) => new(
        Accumulators.Weight(report.GetProperty("examples").GetInt32(), report.GetProperty("staleness").GetInt32()),
        report.GetProperty("seeds").EnumerateArray().Select(seed => seed.GetUInt16()).ToArray(),
        report.GetProperty("scalars").EnumerateArray()
            .Select(scalar => Accumulators.Contribution(learningRate, scalar.GetSingle())).ToArray());

    private static long[] Longs(JsonElement array) =>
        [.. array.EnumerateArray().Select(value => long.Parse(value.GetString()!, CultureInfo.InvariantCulture))];
}
