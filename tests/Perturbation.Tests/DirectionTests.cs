using System.Globalization;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.Perturbation.Tests;

public class DirectionTests
{
    [Fact]
    public void Rademacher_signs_are_those_of_the_vectors()
    {
        var cases = 0;
        foreach (var known in Vectors.Json("noise.json").EnumerateArray())
        {
            var key = ulong.Parse(known.GetProperty("pool_key").GetString()!, CultureInfo.InvariantCulture);
            var pool = new DirectionSpace { PoolKey = key, SeedCount = Limits.Seeds };
            var direction = pool.Direction(known.GetProperty("seed").GetInt32(), known.GetProperty("tensor").GetInt32());
            var index = long.Parse(known.GetProperty("index").GetString()!, CultureInfo.InvariantCulture);
            Assert.Equal(known.GetProperty("sign").GetInt32(), direction.Value(index));
            cases++;
        }

        Assert.NotEqual(0, cases);
    }
}
