using System.Globalization;
using System.Text.Json;
using FedKSeed.Tests;

namespace FedKSeed.Perturbation.Tests;

public class DirectionTests
{
    [Fact]
    public void Rademacher_signs_are_those_of_the_vectors()
    {
        int cases = 0;
        foreach (JsonElement known in Vectors.Json("noise.json").EnumerateArray())
        {
            ulong key = ulong.Parse(known.GetProperty("pool_key").GetString()!, CultureInfo.InvariantCulture);
            var pool = new SeedPool(key, SeedPool.MaxCount, DirectionScheme.PhiloxRademacher);
            Direction direction = pool.Direction(known.GetProperty("seed").GetInt32(), known.GetProperty("tensor").GetInt32());
            long index = long.Parse(known.GetProperty("index").GetString()!, CultureInfo.InvariantCulture);
            Assert.Equal(known.GetProperty("sign").GetInt32(), direction.Value(index));
            cases++;
        }

        Assert.NotEqual(0, cases);
    }
}
