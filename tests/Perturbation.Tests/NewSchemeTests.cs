using FedKSeed.Contracts;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Tests;

/// <summary>What somebody adds who brings a direction scheme: one class, found by its name.</summary>
public class NewSchemeTests
{
    private static readonly DirectionCatalogue Catalogue = DirectionCatalogue.BuiltIn.With(new HalfSteps());
    private static readonly DirectionSpace Pool = new() { PoolKey = 12, SeedCount = 5, Scheme = "half-steps/1" };

    [Fact]
    public void A_scheme_that_only_says_its_elements_perturbs_weights()
    {
        Direction previous = Pool.Direction(1, 9, catalogue: Catalogue), next = Pool.Direction(4, 9, catalogue: Catalogue);
        float[] weights = [.. Enumerable.Range(0, 200_000).Select(i => i / 7f)], moved = [.. weights];
        float[] plus = new float[weights.Length], minus = new float[weights.Length];
        Perturb.AdvanceThenBothSigns(previous, 0.25f, next, 1e-2f, 3, moved, plus, minus, degreeOfParallelism: 2);
        for (var i = 0; i < weights.Length; i++)
        {
            var after = MathF.FusedMultiplyAdd(0.25f, HalfSteps.Z(1, 9, 3 + i), weights[i]);
            Assert.Equal(after, moved[i]);
            Assert.Equal(MathF.FusedMultiplyAdd(1e-2f, HalfSteps.Z(4, 9, 3 + i), after), plus[i]);
            Assert.Equal(MathF.FusedMultiplyAdd(-1e-2f, HalfSteps.Z(4, 9, 3 + i), after), minus[i]);
        }
    }

    [Fact]
    public void A_scheme_that_only_says_its_elements_rebuilds_versions_on_every_path()
    {
        int[] quantised = [3, -500_000, 0, 7, 123_456];
        float[] start = [.. Enumerable.Range(0, 333).Select(i => i / 16f)];
        foreach (var path in KernelPaths.Supported)
        {
            var rebuilt = new float[start.Length];
            new Rebuilder(path, Pool, quantised, 22, Catalogue).Rebuild(2, 11, start, rebuilt);
            for (var i = 0; i < start.Length; i++)
            {
                var sum = Enumerable.Range(0, quantised.Length).Sum(seed => quantised[seed] * (double)HalfSteps.Z(seed, 2, 11 + i));
                Assert.Equal((float)(start[i] - sum * Math.ScaleB(1, 22 - 40)), rebuilt[i]);
            }
        }
    }

    [Fact]
    public void A_scheme_of_the_catalogue_is_known_by_its_name_alone()
    {
        var refusal = Assert.Throws<FormatException>(() => new Rebuilder(Pool, new int[5], 0));
        Assert.Contains("'half-steps/1'", refusal.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Catalogue.With(new HalfSteps()));
        Assert.Throws<NotSupportedException>(() => DeviceKernels.Of(Catalogue[Pool.Scheme]));
    }

    /// <summary>z = −1, −½, 0, ½ or 1 in turn.</summary>
    private sealed class HalfSteps : DirectionScheme
    {
        public override string Name => "half-steps/1";
        public override int UnitExponent => -1;
        public override int Multiple(Direction direction, long element) => Turn(direction.Seed, direction.Tensor, element);
        public static float Z(int seed, int tensor, long element) => Turn(seed, tensor, element) / 2f;
        private static int Turn(int seed, int tensor, long element) => (int)((element + 3L * seed + tensor) % 5) - 2;
    }
}
