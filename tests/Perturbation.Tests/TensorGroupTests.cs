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

    [Theory]
    [InlineData("gpt2", "bias", "transformer.h.?.attn.c_attn.bias transformer.h.?.attn.c_proj.bias transformer.h.?.ln_1.bias "
        + "transformer.h.?.ln_2.bias transformer.h.?.mlp.c_fc.bias transformer.h.?.mlp.c_proj.bias transformer.ln_f.bias")]
    [InlineData("gpt2", "norm", "transformer.h.?.ln_1.weight transformer.h.?.ln_1.bias transformer.h.?.ln_2.weight "
        + "transformer.h.?.ln_2.bias transformer.ln_f.weight transformer.ln_f.bias")]
    [InlineData("gpt2", "attention", "transformer.h.?.attn.c_attn.weight transformer.h.?.attn.c_attn.bias "
        + "transformer.h.?.attn.c_proj.weight transformer.h.?.attn.c_proj.bias")]
    [InlineData("gpt2", "embedding", "transformer.wte.weight transformer.wpe.weight")]
    [InlineData("gpt2", "head", "transformer.wte.weight")]
    [InlineData("gpt2", "layers:1", "transformer.h.1.*")]
    [InlineData("gpt2", "layers:0-1", "transformer.h.*")]
    [InlineData("llama-gqa-untied", "head", "lm_head.weight")]
    [InlineData("llama-gqa-untied", "layers:-1", "model.layers.1.*")]
    [InlineData("llama-gqa-untied", "attention", "model.layers.?.self_attn.*")]
    [InlineData("llama-gqa-untied", "query-value", "model.layers.?.self_attn.q_proj.weight model.layers.?.self_attn.v_proj.weight")]
    [InlineData("llama-gqa-untied", "mlp", "model.layers.?.mlp.*")]
    [InlineData("llama-gqa-untied", "embedding", "model.embed_tokens.weight")]
    [InlineData("llama3-rope-tied", "head", "model.embed_tokens.weight")]
    [InlineData("qwen3-qknorm", "norm", "*layernorm.weight model.norm.weight *.q_norm.weight *.k_norm.weight")]
    [InlineData("qwen3-qknorm", "all", "*")]
    public void Words_stand_for_parts_of_a_model(string model, string word, string meant)
    {
        using var source = Checkpoint.Open(Vectors.Path("models", model));
        var expected = new DirectionSpace { Trainable = [new TensorGroup { Tensors = meant.Split(' ') }] }.Resolve(source).Tensors;
        Assert.Equal(expected, new DirectionSpace { Trainable = [Group(word)] }.Resolve(source).Tensors);
    }

    [Theory]
    [InlineData("gpt2", "query-value")] // its query, key and value are one tensor
    [InlineData("llama-gqa-untied", "bias")]
    [InlineData("gpt2", "layers:2")]
    [InlineData("gpt2", "layers:1-0")]
    [InlineData("gpt2", "layers:-3")]
    [InlineData("gpt2", "layers:")]
    [InlineData("gpt2", "attenton")]
    [InlineData("gpt2", "*.nowhere")]
    public void A_word_or_pattern_that_means_no_tensor_is_named(string model, string word)
    {
        using var source = Checkpoint.Open(Vectors.Path("models", model));
        var beside = new DirectionSpace { Trainable = [new TensorGroup { Tensors = ["*", word] }] };
        var refusal = Assert.Throws<FormatException>(() => beside.Resolve(source));
        Assert.Contains($"'{word}'", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>As Qwen3-0.6B has one: it takes an ordinal, no direction, and no group.</summary>
    [Fact]
    public void A_head_that_is_stored_beside_the_embedding_that_it_is_tied_to_is_in_no_group()
    {
        using CheckpointFolder folder = new();
        folder.WithSafetensors(
            """
            {"lm_head.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
            "model.embed_tokens.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[24,48]}}
            """,
            48);
        File.WriteAllText(folder.File("config.json"), """{"model_type":"qwen3","tie_word_embeddings":true}""");
        using var source = Checkpoint.Open(folder.Path);
        foreach (var word in new[] { "*", "head", "embedding" })
            Assert.Equal([new TrainedTensor(1, 0, 0)], new DirectionSpace { Trainable = [Group(word)] }.Resolve(source).Tensors);
        Assert.Equal([new TrainedTensor(1, 0, 1)], new DirectionSpace { Scheme = DirectionSchemes.LowRank }.Resolve(source).Tensors);
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

    internal static DirectionSpace Space(JsonElement known) => new()
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
