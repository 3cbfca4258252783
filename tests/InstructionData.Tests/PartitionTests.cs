using CsCheck;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.InstructionData.Tests;

public class PartitionTests
{
    private static readonly string[] Kinds = [.. Enumerable.Range(0, 1200).Select(i => "kind " + i % 3)];

    [Fact]
    public void Every_record_has_one_owner_and_a_seed_gives_the_same_ones_again()
    {
        Gen.Select(Gen.Int[1, 30], Gen.Double[0.01, 50], Gen.Double[0, 0.9], Gen.ULong, Gen.Bool).Sample(
            (clients, alpha, heldOut, seed, isEven) =>
            {
                Partition partition = new(isEven ? PartitionBy.Even : PartitionBy.Dirichlet, clients, alpha, heldOut, seed);
                var owners = partition.Owners(Kinds);
                Assert.Equal(owners, partition.Owners(Kinds));
                Assert.All(owners, owner => Assert.InRange(owner, Partition.Nobody, clients - 1));
                Assert.InRange(owners.Count(owner => owner == Partition.Nobody), heldOut * Kinds.Length - 2, heldOut * Kinds.Length + 2);
            }, iter: 50);
    }

    [Fact]
    public void Another_seed_gives_another_partition() =>
        Assert.NotEqual(
            new Partition(PartitionBy.Dirichlet, 8, 0.5, 0.1, 1).Owners(Kinds),
            new Partition(PartitionBy.Dirichlet, 8, 0.5, 0.1, 2).Owners(Kinds));

    [Fact]
    public void Even_parts_differ_by_one_at_most()
    {
        var owners = new Partition(PartitionBy.Even, 7, 1, 0, 3).Owners(Kinds);
        int[] counts = [.. owners.CountBy(owner => owner).Select(pair => pair.Value)];
        Assert.Equal(7, counts.Length);
        Assert.InRange(counts.Max() - counts.Min(), 0, 1);
    }

    [Fact]
    public void By_file_a_client_has_one_file_and_all_of_it()
    {
        var owners = new Partition(PartitionBy.File, 3, 1, 0, 0).Owners(Kinds);
        Assert.Equal([0, 1, 2], owners.Take(3));
        Assert.All(Kinds.Zip(owners).GroupBy(pair => pair.First), file => Assert.Single(file.Select(pair => pair.Second).Distinct()));
    }

    [Fact]
    public void By_file_fewer_clients_than_files_leave_whole_files_out()
    {
        var owners = new Partition(PartitionBy.File, 2, 1, 0.25, 5).Owners(Kinds);
        Assert.Equal(
            (400, 300, 300, 200),
            (owners.Count(o => o == Partition.LeftOut), owners.Count(o => o == 0), owners.Count(o => o == 1),
             owners.Count(o => o == Partition.Nobody)));
        Assert.Throws<ArgumentException>(() => new Partition(PartitionBy.File, 4, 1, 0, 5).Owners(Kinds));
    }

    /// <summary>A symmetric Dirichlet share of n has the mean 1/n and the variance (n − 1) / (n² (nα + 1)).</summary>
    [Theory]
    [InlineData(0.05)]
    [InlineData(0.5)]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(200)]
    public void Dirichlet_shares_have_the_mean_and_the_variance_they_should(double alpha)
    {
        const int count = 5, draws = 20_000;
        PhiloxSequence random = new(42, (ulong)(alpha * 100));
        double[][] shares = [.. Enumerable.Range(0, draws).Select(_ => random.Dirichlet(count, alpha))];
        Assert.All(shares, share => Assert.Equal(1, share.Sum(), 1e-9));
        var variance = (count - 1) / (count * count * (count * alpha + 1.0));
        for (var i = 0; i < count; i++)
        {
            var mean = shares.Average(share => share[i]);
            // Five standard errors of the mean; the variance's own error is below 6 % at this many draws.
            Assert.Equal(1.0 / count, mean, 5 * Math.Sqrt(variance / draws));
            Assert.Equal(variance, shares.Average(share => (share[i] - mean) * (share[i] - mean)), 0.06 * variance);
        }
    }

    [Fact]
    public void A_tiny_alpha_gives_nearly_everything_to_one_and_no_share_is_lost()
    {
        PhiloxSequence random = new(1, 1);
        for (var i = 0; i < 1000; i++)
        {
            var shares = random.Dirichlet(10, 1e-4);
            Assert.Equal(1, shares.Sum(), 1e-9);
            Assert.All(shares, share => Assert.True(double.IsFinite(share)));
        }
    }

    [Fact]
    public void A_small_alpha_makes_clients_differ_and_a_large_one_makes_them_alike()
    {
        double Skew(double alpha)
        {
            var owners = new Partition(PartitionBy.Dirichlet, 6, alpha, 0, 7).Owners(Kinds);
            // The share of a client's most frequent kind, a third where all are alike.
            return Kinds.Zip(owners).GroupBy(pair => pair.Second)
                .Average(client => client.CountBy(pair => pair.First).Max(kind => kind.Value) / (double)client.Count());
        }

        Assert.InRange(Skew(1000), 0.33, 0.4);
        Assert.True(Skew(0.1) > Skew(1) && Skew(1) > Skew(1000));
    }

    [Fact]
    public void Whole_numbers_follow_shares_within_one() =>
        Gen.Select(Gen.Int[0, 5000], Gen.Double[0.001, 1].Array[1, 20]).Sample((total, parts) =>
        {
            double[] shares = [.. parts.Select(part => part / parts.Sum())];
            var counts = Partition.Apportion(total, shares);
            Assert.Equal(total, counts.Sum());
            Assert.All(counts.Zip(shares), pair => Assert.InRange(pair.First, pair.Second * total - 1, pair.Second * total + 1));
        });
}
