using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using static FedKSeed.Federation.Tests.Federations;

namespace FedKSeed.Federation.Tests;

public class TrainableTests
{
    private static readonly DirectionSpace Sound = Settings.Directions with
    {
        Scheme = DirectionSchemes.LowRank,
        Trainable = [new() { Tensors = ["*.bias"], Scale = 2 }, new() { Tensors = ["h.*", "wte"], Scale = -3, Rank = 4 }],
        Tensors = [new(0, 2, 0), new(3, -3, 4), new(17, -3, 0)],
    };

    private static readonly Adapter Lora = new()
    {
        Kind = AdapterKind.Lora,
        Targets = ["q_proj"],
        Digest = new string('0', 64),
    };

    private static readonly (string Fault, DirectionSpace Space)[] Unsound =
    [
        ("names no tensors", Sound with { Trainable = [] }),
        ("has no patterns", Sound with { Trainable = [new() { Tensors = [] }] }),
        ("has no patterns", Sound with { Trainable = [new() { Tensors = [""] }] }),
        ("has no patterns", Sound with { Trainable = [null!] }),
        ("scale 17", Sound with { Trainable = [new() { Tensors = ["*"], Scale = 17 }] }),
        ("rank 3", Sound with { Trainable = [new() { Tensors = ["*"], Rank = 3 }] }),
        ("philox-rank/1", Sound with { Scheme = DirectionSchemes.Gaussian }),
        ("2^scale", Sound with { Trainable = [new() { Tensors = ["*"], Scale = 16 }] }),
        ("is empty", Sound with { Tensors = [] }),
        ("out of order", Sound with { Tensors = [new(3, 0, 0), new(3, 0, 0)] }),
        ("out of order", Sound with { Tensors = [new(3, 0, 0), new(2, 0, 0)] }),
        ("out of order", Sound with { Tensors = [new(-1, 0, 0)] }),
        ("scale -17", Sound with { Tensors = [new(1, -17, 0)] }),
        ("rank -1", Sound with { Tensors = [new(1, 0, -1)] }),
        ("Rank must be", Sound with { Adapter = Lora with { Rank = 0 } }),
        ("Alpha must be", Sound with { Adapter = Lora with { Alpha = 0 } }),
        ("Targets must be", Sound with { Adapter = Lora with { Targets = [] } }),
        ("Targets must be", Sound with { Adapter = Lora with { Targets = ["q_proj", ""] } }),
        ("Tokens must be", Sound with { Adapter = Lora with { Kind = AdapterKind.Prompt, Tokens = 1025 } }),
        ("Digest of an adapter", Sound with { Adapter = Lora with { Digest = "0" } }),
        ("without the digest", Sound with { Adapter = Lora with { Digest = null } }),
        ("without the tensors", Sound with { Adapter = Lora, Trainable = null, Tensors = null }),
    ];

    [Fact]
    public void Groups_and_the_tensors_they_come_to_are_in_the_log_and_come_back_from_it()
    {
        var opened = Settings with { Directions = Sound };
        var lines = EventLog.Write(LogHead.Start, Start, FederationDecisions.Open(new(), opened)).Lines;
        var state = Fold([.. lines]);
        Assert.Equal(Sound, state.Settings!.Directions);
        Assert.Empty(FederationDecisions.Open(state, opened));
        var other = opened with { Directions = Sound with { Tensors = [new(0, 2, 0)] } };
        var refusal = Assert.Throws<InvalidOperationException>(() => FederationDecisions.Open(state, other));
        Assert.Contains("directions:tensors:1", refusal.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void An_adapter_is_in_the_log_and_comes_back_from_it_and_another_is_another_federation()
    {
        var opened = Settings with { Directions = Sound with { Adapter = Lora } };
        var state = Fold([.. EventLog.Write(LogHead.Start, Start, FederationDecisions.Open(new(), opened)).Lines]);
        Assert.Equal(opened.Directions, state.Settings!.Directions);
        Assert.DoesNotContain("adapter", SettingsJson.Canonical(Settings), StringComparison.OrdinalIgnoreCase);
        var other = opened with { Directions = Sound with { Adapter = Lora with { Alpha = 8 } } };
        var refusal = Assert.Throws<InvalidOperationException>(() => FederationDecisions.Open(state, other));
        Assert.Contains("directions:adapter:alpha", refusal.Message, StringComparison.OrdinalIgnoreCase);
        Assert.NotEqual(
            ModelVersion.Of(0, "", opened.Directions, new long[Sound.SeedCount]).Digest(),
            ModelVersion.Of(0, "", other.Directions, new long[Sound.SeedCount]).Digest());
    }

    [Fact]
    public void A_log_of_a_space_that_cannot_be_is_refused()
    {
        foreach ((var fault, var space) in Unsound)
        {
            var lines = EventLog.Write(LogHead.Start, Start, FederationDecisions.Open(new(), Settings with { Directions = space })).Lines;
            Assert.Contains(fault, Assert.Throws<InvalidEntryException>(() => Fold([.. lines])).Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_largest_accumulator_falls_with_the_rank()
    {
        Assert.Equal((1 << 19) - 1, QuantisedAccumulators.Limit(1024, 4));
        Assert.Equal(int.MaxValue / 16_384, QuantisedAccumulators.Limit(4096, Sound.LargestRank));
        Assert.Equal(18, QuantisedAccumulators.BitsPerValue(4096, 4));
        Assert.Equal(14, QuantisedAccumulators.BitsPerValue(65_536, 4));
    }
}
