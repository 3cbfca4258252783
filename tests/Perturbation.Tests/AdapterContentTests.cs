using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.Perturbation.Tests;

public class AdapterContentTests
{
    private static readonly Adapter Lora = new() { Kind = AdapterKind.Lora, Rank = 4 };
    private static readonly Adapter Prompt = new() { Kind = AdapterKind.Prompt, Tokens = 3 };
    private static readonly Adapter Bias = new() { Kind = AdapterKind.Bias };

    [Fact]
    public void First_values_of_A_are_the_known_ones()
    {
        foreach (var known in Vectors.Json("adapters.json").EnumerateArray())
        {
            var fanIn = known.GetProperty("fan_in").GetInt32();
            var values = AdapterContent.UniformValues(
                ulong.Parse(known.GetProperty("pool_key").GetString()!, CultureInfo.InvariantCulture),
                known.GetProperty("tensor").GetInt32(), fanIn, (long)known.GetProperty("rank").GetInt32() * fanIn);
            Assert.Equal(known.GetProperty("first").EnumerateArray().Select(word => word.GetString()), values[..8].Select(BigEndian));
            Assert.Equal(
                known.GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(values.AsSpan()))));
        }
    }

    [Fact]
    public void Its_tensors_stand_behind_the_bases_in_the_order_of_their_names()
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "llama-gqa-untied"));
        var adapted = new DirectionSpace { Adapter = Lora }.Adapted(source);
        Assert.Equal(
            ["q_proj.lora_A", "q_proj.lora_B", "v_proj.lora_A", "v_proj.lora_B"],
            adapted.Adapter.Take(4).Select(tensor => string.Join('.', tensor.Name.Split('.')[^3..^1])));
        Assert.Equal(Enumerable.Range(source.Weights.Count, 8), adapted.Adapter.Select(tensor => tensor.Ordinal!.Value));
        Assert.Equal(source.Digest(TestContext.Current.CancellationToken), adapted.Digest(TestContext.Current.CancellationToken));
        foreach (var tensor in adapted.Adapter)
        {
            var isA = tensor.Name.EndsWith(AdapterContent.SuffixA, StringComparison.Ordinal);
            Assert.Equal(4, tensor.Shape[isA ? 0 : 1]);
            Assert.Equal(isA, tensor.ToArray().All(value => value != 0 && Math.Abs(value) <= 1 / Math.Sqrt(tensor.Shape[1])));
            Assert.Equal(!isA, tensor.ToArray().All(value => value == 0));
        }
    }

    [Fact]
    public void Rows_of_a_prompt_are_rows_of_the_embedding()
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "gpt2"));
        var adapted = new DirectionSpace { Adapter = Prompt }.Adapted(source);
        var embedding = source["transformer.wte.weight"];
        var rows = embedding.ToArray().Chunk((int)embedding.Columns).ToArray();
        var prompt = Assert.Single(adapted.Adapter).ToArray().Chunk((int)embedding.Columns).ToArray();
        Assert.Equal(3, prompt.Length);
        Assert.All(prompt, row => Assert.Contains(rows, other => other.SequenceEqual(row)));
    }

    [Fact]
    public void With_an_adapter_it_alone_is_tuned_and_A_only_if_asked()
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "llama-gqa-untied"));
        var adapted = new DirectionSpace { Adapter = Lora }.Adapted(source);
        string[] Trained(DirectionSpace space) =>
            [.. space.Resolve(source).Tensors!.Select(tensor => adapted.Weights[tensor.Ordinal].Name)];
        bool IsB(CheckpointTensor tensor) => tensor.Name.EndsWith(AdapterContent.SuffixB, StringComparison.Ordinal);

        Assert.Equal(adapted.Adapter.Where(IsB).Select(tensor => tensor.Name), Trained(new() { Adapter = Lora }));
        Assert.Equal(
            adapted.Adapter.Select(tensor => tensor.Name), Trained(new() { Adapter = Lora with { TrainA = true } }));
        Assert.Equal(
            adapted.Weights.Where(tensor => tensor.Name.EndsWith("norm.weight", StringComparison.Ordinal) || IsB(tensor))
                .Select(tensor => tensor.Name),
            Trained(new() { Adapter = Lora, Trainable = [new() { Tensors = ["norm", "adapter"] }] }));
        Assert.All(
            new DirectionSpace { Adapter = Lora, Scheme = DirectionSchemes.LowRank }.Resolve(source).Tensors!,
            tensor => Assert.Equal(1, tensor.Rank));
    }

    [Fact]
    public void What_is_opened_names_targets_and_digest_and_another_digest_is_refused()
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "gpt2"));
        var space = new DirectionSpace { Adapter = Lora }.Resolve(source);
        Assert.Equal(["c_attn"], space.Adapter!.Targets);
        Assert.Equal(new DirectionSpace { Adapter = Lora }.Adapted(source).AdapterDigest(), space.Adapter.Digest);
        space.RequireResolved(source);
        Assert.Equal(space, JsonSerializer.Deserialize<DirectionSpace>(JsonSerializer.Serialize(space, Web), Web));
        foreach (var other in new[]
        {
            space with { Adapter = space.Adapter with { Digest = new string('0', 64) } },
            space with { PoolKey = 2 },
            space with { Adapter = space.Adapter with { Rank = 5 } },
        })
            Assert.Contains(
                "adapter of this federation is not",
                Assert.Throws<FormatException>(() => other.RequireResolved(source)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_base_on_which_a_kind_makes_no_sense_is_refused()
    {
        foreach (var (model, adapter, said) in new[]
        {
            ("gpt2", Bias, "only a llama"), ("mistral-sliding", Bias, "only a llama"), ("qwen2-bias-tied", Bias, "only a llama"),
            ("llama-gqa-untied", Lora with { Targets = ["c_attn"] }, "No linear layer"),
            ("llama-gqa-untied", Lora with { Targets = ["lm_head"] }, "No linear layer"),
            ("gpt2", Lora with { Targets = ["wte"] }, "No linear layer"),
        })
        {
            using var source = Checkpoint.Open(Vectors.Path("models", model));
            var refusal = Assert.Throws<FormatException>(() => new DirectionSpace { Adapter = adapter }.Resolve(source));
            Assert.Contains(said, refusal.Message, StringComparison.Ordinal);
        }
        using var llama = Checkpoint.Open(Vectors.Path("models", "llama-gqa-untied"));
        Assert.Contains(
            "tuned alone",
            Assert.Throws<FormatException>(() => new DirectionSpace
            {
                Adapter = Prompt,
                Trainable = [new() { Tensors = ["adapter", "norm"] }],
            }.Resolve(llama)).Message, StringComparison.Ordinal);
        Assert.Throws<FormatException>(() => new DirectionSpace { Trainable = [new() { Tensors = ["adapter"] }] }.Resolve(llama));
    }

    [Theory]
    [InlineData("llama-gqa-untied", AdapterKind.Lora)]
    [InlineData("gpt2", AdapterKind.Lora)]
    [InlineData("qwen3-qknorm", AdapterKind.Prompt)]
    public void What_is_written_as_PEFT_has_it_is_read_back_bit_for_bit(string model, AdapterKind kind)
    {
        using var source = Checkpoint.Open(Vectors.Path("models", model));
        using var folder = new TemporaryFolder();
        var content = Version(kind == AdapterKind.Lora ? Lora : Prompt, source);
        PeftFolder.Write(content, source, folder.Path);

        Assert.Equal((source.Folder, folder.Path), PeftFolder.Find(folder.Path));
        var read = PeftFolder.Read(folder.Path, source);
        Assert.Equal(content.Tensors.Count, read.Tensors.Count);
        foreach (var (one, other) in content.Tensors.Zip(read.Tensors.OrderBy(tensor => tensor.Name, StringComparer.Ordinal)))
            Assert.Equal(
                (one.Name, Convert.ToHexString(one.Bytes.Span)), (other.Name, Convert.ToHexString(other.Bytes.Span)));
        Assert.Equal((content.Adapter.Kind, content.Adapter.VirtualTokens), (read.Adapter.Kind, read.Adapter.VirtualTokens));
        if (kind == AdapterKind.Lora)
            Assert.Equal((4, 16), (read.Adapter.Rank, read.Adapter.Alpha));
    }

    [Fact]
    public void Keys_and_fields_are_those_that_PEFT_reads()
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "gpt2"));
        using var folder = new TemporaryFolder();
        PeftFolder.Write(Version(Lora, source), source, folder.Path);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(folder.Path, PeftFolder.ConfigFile)))!;
        Assert.Equal(
            ("LORA", "CAUSAL_LM", 4, 16, true, "none", """["c_attn"]"""),
            ((string)config["peft_type"]!, (string)config["task_type"]!, (int)config["r"]!, (int)config["lora_alpha"]!,
                (bool)config["fan_in_fan_out"]!, (string)config["bias"]!, config["target_modules"]!.ToJsonString()));
        File.Move(Path.Combine(folder.Path, PeftFolder.WeightsFile), Path.Combine(folder.Path, Checkpoint.SingleFile));
        using var written = Checkpoint.Open(folder.Path);
        Assert.Equal([4, source["transformer.h.0.attn.c_attn.weight"].Shape[0]],
            written["base_model.model.transformer.h.0.attn.c_attn.lora_A.weight"].Shape);
        Assert.Equal([source["transformer.h.0.attn.c_attn.weight"].Shape[1], 4],
            written["base_model.model.transformer.h.0.attn.c_attn.lora_B.weight"].Shape);
    }

    [Theory]
    [InlineData("use_rslora", "true")]
    [InlineData("use_dora", "true")]
    [InlineData("modules_to_save", """["lm_head"]""")]
    [InlineData("rank_pattern", """{"q_proj": 8}""")]
    [InlineData("alpha_pattern", """{"q_proj": 8}""")]
    [InlineData("bias", "\"all\"")]
    [InlineData("layers_to_transform", "[1]")]
    [InlineData("init_lora_weights", "\"pissa_niter_4\"")]
    [InlineData("task_type", "\"SEQ_CLS\"")]
    [InlineData("peft_type", "\"IA3\"")]
    [InlineData("r", "0")]
    [InlineData("lora_alpha", "\"many\"")]
    [InlineData("something_new", "0.5")]
    public void What_an_adapter_asks_for_beyond_that_is_refused_by_name(string field, string value)
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "llama-gqa-untied"));
        using var folder = new TemporaryFolder();
        PeftFolder.Write(Version(Lora, source), source, folder.Path);
        var path = Path.Combine(folder.Path, PeftFolder.ConfigFile);
        var config = JsonNode.Parse(File.ReadAllText(path))!;
        config[field] = JsonNode.Parse(value);
        File.WriteAllText(path, config.ToJsonString());
        var refusal = Assert.Throws<CheckpointException>(() => PeftFolder.Read(folder.Path, source));
        Assert.Contains(field, refusal.Message, StringComparison.Ordinal);
        Assert.Contains(PeftFolder.ConfigFile, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_adapter_of_another_base_is_refused_by_the_layer_that_does_not_fit()
    {
        using Checkpoint llama = Checkpoint.Open(Vectors.Path("models", "llama-gqa-untied")),
            qwen = Checkpoint.Open(Vectors.Path("models", "qwen3-qknorm")), gpt2 = Checkpoint.Open(Vectors.Path("models", "gpt2"));
        foreach (var adapter in new[] { Lora, Prompt with { Tokens = 4 } })
        {
            using var folder = new TemporaryFolder();
            PeftFolder.Write(Version(adapter, llama), llama, folder.Path);
            foreach (var other in new[] { gpt2, qwen })
            {
                var refusal = Assert.Throws<CheckpointException>(() => PeftFolder.Read(folder.Path, other));
                Assert.Contains(other.Folder, refusal.Message, StringComparison.Ordinal);
                Assert.Matches("q_proj|prompt_embeddings", refusal.Message);
            }
        }
    }

    [Fact]
    public void A_base_that_is_not_there_is_said_to_be_missing()
    {
        using var source = Checkpoint.Open(Vectors.Path("models", "gpt2"));
        using var folder = new TemporaryFolder();
        PeftFolder.Write(Version(Lora, source), source, folder.Path);
        var path = Path.Combine(folder.Path, PeftFolder.ConfigFile);
        File.WriteAllText(path, File.ReadAllText(path).Replace(source.Folder, "/no/such/base", StringComparison.Ordinal));
        var refusal = Assert.Throws<CheckpointException>(() => PeftFolder.Find(folder.Path));
        Assert.Contains("/no/such/base", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("--adapter", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(("elsewhere", folder.Path), PeftFolder.Find("elsewhere", folder.Path));
    }

    private static readonly JsonSerializerOptions Web = new(JsonSerializerDefaults.Web);

    /// <summary>An adapter in a version that some seeds have moved.</summary>
    private static AdapterContent Version(Adapter adapter, Checkpoint source)
    {
        var space = new DirectionSpace { SeedCount = 8, Adapter = adapter with { TrainA = true } }.Resolve(source);
        return AdapterContent.Rebuilt(space.Adapter!, space.Adapted(source), new Rebuilder(space, [1, -2, 3, 0, 5, -8, 13, 21], 28));
    }

    private static string BigEndian(float value)
    {
        var bytes = new byte[sizeof(float)];
        BinaryPrimitives.WriteSingleBigEndian(bytes, value);
        return Convert.ToHexStringLower(bytes);
    }
}
