using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Tests;

public class DirectionSpaceTests
{
    [Fact]
    public void The_schemes_that_settings_may_name_are_those_there_are() =>
        Assert.Equal(DirectionSchemes.Known, DirectionCatalogue.BuiltIn.Schemes.Select(scheme => scheme.Name));

    [Theory]
    [InlineData("philox-rademacher/2")]
    [InlineData("Philox-Gaussian/1")]
    [InlineData("")]
    public void An_unknown_scheme_is_refused_with_the_names_of_the_known(string name)
    {
        var refusal = Assert.Throws<FormatException>(() => DirectionCatalogue.BuiltIn[name]);
        Assert.Contains($"'{name}'", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("'philox-rademacher/1' and 'philox-gaussian/1' and 'philox-rank/1'", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(65_537)]
    public void A_pool_out_of_range_is_refused(int count) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new DirectionSpace { PoolKey = 1, SeedCount = count }.SchemeOf());

    [Fact]
    public void A_direction_outside_the_pool_is_refused()
    {
        var pool = new DirectionSpace { PoolKey = 1, SeedCount = 4 };
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Direction(4, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Direction(-1, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Direction(0, -1));
    }
}
