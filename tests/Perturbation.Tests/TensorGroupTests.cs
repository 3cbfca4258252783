using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.Perturbation.Tests;

public class TensorGroupTests
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static TheoryData<string> Models => new(Vectors.Json("groups.json").EnumerateObject().Select(model => model.Name));

    [Theory]
    [MemberData(nameof(Models))]
    public void A_model_of_groups_has_the_known_bytes_and_frozen_tensors_those_of_the_base(string model)
    {
        var known = Vectors.Json("groups.json").GetProperty(model);
        using var source = Checkpoint.Open(Vectors.Path("models", model));
        var space = Space(known).Resolve(source);
        Assert.Equal(known.GetProperty("resolved").Deserialize<TrainedTensor[]>(Json), space.Tensors);

        long[] accumulators = [.. known.GetProperty("accumulators").EnumerateArray()
            .Select(value => long.Parse(value.GetString()!, CultureInfo.InvariantCulture))];
        Assert.Equal(known.GetProperty("largest_magnitude").GetInt32(), QuantisedAccumulators.Limit(space.SeedCount, space.LargestRank));
        var version = ModelVersion.Of(1, "", space, accumulators);
        Assert.Equal(known.GetProperty("quantised").Deserialize<int[]>(), version.Values());
        Assert.Equal(known.GetProperty("shift").GetInt32(), version.Shift);

        using var folder = new TemporaryFolder();
        var rebuilder = new Rebuilder(space, version.Values(), version.Shift);
        RebuiltCheckpoint.Write(
            source, rebuilder, folder.Path, degreeOfParallelism: 2, cancellation: TestContext.Current.CancellationToken);
        using var rebuilt = Checkpoint.Open(folder.Path);
        Assert.Equal(
            known.GetProperty("sha256").EnumerateObject().ToDictionary(pair => pair.Name, pair => pair.Value.GetString()!),
            rebuilt.Tensors.ToDictionary(tensor => tensor.Name, Digest));
        var frozen = source.Weights.Where(tensor => space.Directed(tensor.Ordinal!.Value, tensor.Columns) is null);
        Assert.All(frozen, tensor => Assert.Equal(Digest(tensor), Digest(rebuilt[tensor.Name])));
    }

    [Fact]
    public void A_space_is_the_same_after_its_JSON_and_one_without_groups_says_nothing_of_them()
    {
        var space = Space(Vectors.Json("groups.json").GetProperty("gpt2"));
        using var source = Checkpoint.Open(Vectors.Path("models", "gpt2"));
        var resolved = space.Resolve(source);
        Assert.Equal(resolved, JsonSerializer.Deserialize<DirectionSpace>(JsonSerializer.Serialize(resolved, Json), Json));
        Assert.NotEqual(resolved, space);
        Assert.Equal(
            """{"poolKey":"1","seedCount":4096,"scheme":"philox-rademacher/1"}""", JsonSerializer.Serialize(new DirectionSpace(), Json));
    }

    [Fact]
    public void Without_groups_a_space_of_some_rank_trains_all_tensors_at_rank_one_and_another_stays_as_it_is()
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "gpt2"));
        var resolved = new DirectionSpace { Scheme = DirectionSchemes.LowRank }.Resolve(source);
        Assert.Equal(
            source.Weights.Select(tensor => new TrainedTensor(tensor.Ordinal!.Value, 0, tensor.Shape.Count == 2 ? 1 : 0)),
            resolved.Tensors);
        Assert.Equal(new DirectionSpace(), new DirectionSpace().Resolve(source));
    }

    [Fact]
    public void A_group_without_tensors_and_tensors_of_another_base_are_refused()
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "gpt2"));
        using var other = Checkpoint.Open(Vectors.Path("models", "qwen2-bias-tied"));
        var all = new DirectionSpace { Trainable = [Group("*.bias"), Group("*")] };
        all.Resolve(source).RequireResolved(source);
        Assert.Throws<FormatException>(() => all.Resolve(other).RequireResolved(source));
        Assert.Throws<FormatException>(() => new DirectionSpace { Trainable = [Group("*") with { Rank = 1 }] }.Resolve(source));
        var shadowed = new DirectionSpace { Trainable = [Group("*"), Group("*.bias")] };
        var refusal = Assert.Throws<FormatException>(() => shadowed.Resolve(source));
        Assert.Contains("'*.bias'", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_frozen_tensor_is_neither_perturbed_nor_moved_nor_rebuilt()
    {
        var space = new DirectionSpace { PoolKey = 1, SeedCount = 2, Tensors = [new(3, 0, 0), new(5, 0, 0)] };
        foreach (var tensor in new[] { 0, 4, 6 })
        {
            Direction previous = space.Direction(0, tensor), next = space.Direction(1, tensor);
            float[] weights = [1, 2, 3], plus = new float[3], minus = new float[3], rebuilt = new float[3];
            Perturb.AdvanceThenBothSigns(previous, 1f, next, 1f, 0, weights, plus, minus);
            Perturb.Advance(next, 1f, 0, weights);
            new Rebuilder(space, [70_000, -3], 20).Rebuild(tensor, 0, weights, rebuilt);
            Assert.All(new[] { weights, plus, minus, rebuilt }, values => Assert.Equal([1f, 2f, 3f], values));
        }

        Assert.Equal(1f, Math.Abs(space.Direction(0, 5).Value(0)));
    }

    private static DirectionSpace Space(JsonElement known) => new()
    {
        PoolKey = ulong.Parse(known.GetProperty("pool_key").GetString()!, CultureInfo.InvariantCulture),
        SeedCount = known.GetProperty("seeds").GetInt32(),
        Scheme = known.GetProperty("groups").EnumerateArray().Any(group => group.GetProperty("rank").GetInt32() > 0)
            ? DirectionSchemes.LowRank
            : DirectionSchemes.Rademacher,
        Trainable = known.GetProperty("groups").Deserialize<TensorGroup[]>(Json),
    };

    private static TensorGroup Group(string pattern) => new() { Tensors = [pattern] };

    private static string Digest(CheckpointTensor tensor) =>
        Convert.ToHexStringLower(SHA256.HashData(tensor.Bytes(0, (int)tensor.ByteCount)));
}
