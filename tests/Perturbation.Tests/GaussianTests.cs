using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Tests;

public class GaussianTests
{
    [Fact]
    public void Directions_are_those_of_an_independent_implementation_in_rational_arithmetic()
    {
        var cases = 0;
        foreach (var known in JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(KnownAnswers())).EnumerateArray())
        {
            var key = ulong.Parse(known.GetProperty("pool_key").GetString()!, CultureInfo.InvariantCulture);
            var pool = new DirectionSpace { PoolKey = key, SeedCount = Limits.Seeds, Scheme = DirectionSchemes.Gaussian };
            var direction = pool.Direction(known.GetProperty("seed").GetInt32(), known.GetProperty("tensor").GetInt32());
            var index = long.Parse(known.GetProperty("index").GetString()!, CultureInfo.InvariantCulture);
            Assert.Equal(known.GetProperty("n").GetInt32() / 4096f, direction.Value(index));
            cases++;
        }

        Assert.Equal(400, cases);
    }

    [Fact]
    public void Extreme_words_stay_in_range()
    {
        uint[] extremes =
            [0, 1, 2, 0x1FFF_FFFF, 0x2000_0000, 0x5FFF_FFFF, 0x6000_0000, 0x7FFF_FFFF, 0x8000_0000, 0xDFFF_FFFF, 0xE000_0000, 0xFFFF_FFFF];
        foreach (var radius in extremes)
        {
            foreach (var angle in extremes)
            {
                var x = GaussianTransform.Multiple(new(radius, angle, 0, 0), 0);
                var y = GaussianTransform.Multiple(new(radius, angle, 0, 0), 1);
                var length = 4096 * Math.Sqrt(-2 * Math.Log(((radius >> 1) + 0.5) / 2147483648.0));
                Assert.InRange(x, -27_281, 27_281);
                Assert.Equal(length * Math.Cos(2 * Math.PI * angle / 4294967296.0), x, 2.0);
                Assert.Equal(length * Math.Sin(2 * Math.PI * angle / 4294967296.0), y, 2.0);
            }
        }
    }

    [Fact]
    public void The_multiples_are_those_of_real_arithmetic_but_for_the_rounding()
    {
        var random = new Random(5);
        for (var i = 0; i < 20_000; i++)
        {
            var words = new Philox4x32.Block((uint)random.NextInt64(1L << 32), (uint)random.NextInt64(1L << 32), 0, 0);
            var exact = 4096 * Math.Sqrt(-2 * Math.Log(((words.Word0 >> 1) + 0.5) / 2147483648.0))
                * Math.Cos(2 * Math.PI * words.Word1 / 4294967296.0);
            Assert.Equal(exact, GaussianTransform.Multiple(words, 0), 0.52);
        }
    }

    /// <summary>Bounds are five standard errors of each statistic for 2²² independent normals; the seed is fixed.</summary>
    [Fact]
    public void Moments_are_those_of_a_standard_normal()
    {
        const int count = 1 << 22;
        var z = new float[count];
        Perturb.Advance(
            new DirectionSpace { PoolKey = 2024, SeedCount = 16, Scheme = DirectionSchemes.Gaussian }.Direction(11, 3),
            1f,
            0,
            z);
        double[] moments = [.. Enumerable.Range(1, 4).Select(power => z.Sum(value => Math.Pow(value, power)) / count)];
        var error = 5 / Math.Sqrt(count);
        Assert.Equal(0, moments[0], error);
        Assert.Equal(1, moments[1], error * Math.Sqrt(2));
        Assert.Equal(0, moments[2], error * Math.Sqrt(15));
        Assert.Equal(3, moments[3], error * Math.Sqrt(96));
        Assert.InRange(z.Max(Math.Abs), 4.5f, 6.5f); // the largest of 2²² is expected near 5.2
        Assert.Equal(0, z.Skip(1).Zip(z, (a, b) => (double)a * b).Average(), error);
        Assert.Equal(0.3173, z.Count(value => Math.Abs(value) > 1) / (double)count, error * 0.4655);
        Assert.Equal(0.0027, z.Count(value => Math.Abs(value) > 3) / (double)count, error * 0.0519);
    }

    [Fact]
    public void Different_seeds_and_tensors_are_uncorrelated()
    {
        const int count = 1 << 18;
        var pool = new DirectionSpace { PoolKey = 2024, SeedCount = 16, Scheme = DirectionSchemes.Gaussian };
        float[] a = Values(pool.Direction(1, 0)), b = Values(pool.Direction(2, 0)), c = Values(pool.Direction(1, 1));
        Assert.Equal(0, a.Zip(b, (x, y) => (double)x * y).Average(), 5 / Math.Sqrt(count));
        Assert.Equal(0, a.Zip(c, (x, y) => (double)x * y).Average(), 5 / Math.Sqrt(count));

        static float[] Values(Direction direction)
        {
            var z = new float[count];
            Perturb.Advance(direction, 1f, 0, z);
            return z;
        }
    }

    private static string KnownAnswers([CallerFilePath] string thisFile = "") =>
        Path.Combine(Path.GetDirectoryName(thisFile)!, "Gaussian", "known_answers.json");
}
