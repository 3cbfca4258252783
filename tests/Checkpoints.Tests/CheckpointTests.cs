using FedKSeed.Tests;

namespace FedKSeed.Checkpoints.Tests;

public class CheckpointTests
{
    private const string TwoFloats = """{"dtype":"F32","shape":[2],"data_offsets":[0,8]}""";

    [Fact]
    public void Ordinals_follow_the_UTF8_bytes_of_names_and_skip_what_is_not_trained()
    {
        using var folder = new CheckpointFolder();
        // U+FF01 sorts after U+10000 in UTF-16 and before it in UTF-8.
        string[] names = ["\U00010000", "\uFF01", "b", "a.rotary_emb.inv_freq", "inv_freq", "a.inv_freq_scale", "B", "position_ids"];
        CheckpointWriter.Write(folder.File(Checkpoint.SingleFile), names.Select(name =>
            new TensorContent(name, name == "position_ids" ? TensorType.I32 : TensorType.F32, [1], new byte[4])));
        using var checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal(["B", "a.inv_freq_scale", "b", "\uFF01", "\U00010000"], checkpoint.Weights.Select(tensor => tensor.Name));
        Assert.Equal([0, 1, 2, 3, 4], checkpoint.Weights.Select(tensor => tensor.Ordinal!.Value));
        Assert.Equal(8, checkpoint.Tensors.Count);
        Assert.Null(checkpoint["inv_freq"].Ordinal);
        Assert.Equal(5, checkpoint.WeightCount);
    }

    [Fact]
    public void A_written_checkpoint_reads_back_as_it_was()
    {
        using var folder = new CheckpointFolder();
        float[] values = [1f, -2.5f, 0.1f, 65504f, 0f, 3e-5f];
        TensorType[] types = [TensorType.F32, TensorType.F16, TensorType.BF16];
        CheckpointWriter.Write(
            folder.File(Checkpoint.SingleFile), types.Select(type => new TensorContent(type.Name(), type, [2, 3], Narrowed(type, values))));
        using var checkpoint = Checkpoint.Open(folder.Path);
        foreach (var type in types)
        {
            var tensor = checkpoint[type.Name()];
            Assert.Equal((type, 6L, 6L * type.Size()), (tensor.Type, tensor.ElementCount, tensor.ByteCount));
            Assert.Equal([2L, 3L], tensor.Shape);
            Assert.Equal(Narrowed(type, values), tensor.Bytes(0, (int)tensor.ByteCount));
            var part = new float[2];
            tensor.Read(1, part);
            Assert.Equal(tensor.ToArray()[1..3], part);
        }

        Assert.Equal(values, checkpoint["F32"].ToArray());
    }

    [Fact]
    public void The_digest_does_not_depend_on_the_split_but_on_every_bit()
    {
        using CheckpointFolder whole = new(), split = new(), other = new();
        var a = new TensorContent("a", TensorType.F32, [2], new byte[8]);
        var b = new TensorContent("b", TensorType.BF16, [1, 2], new byte[4]);
        CheckpointWriter.Write(whole.File(Checkpoint.SingleFile), [b, a]);
        CheckpointWriter.Write(split.File("x.safetensors"), [b]);
        CheckpointWriter.Write(split.File("y.safetensors"), [a]);
        split.WithIndex("""{"weight_map":{"a":"y.safetensors","b":"x.safetensors"}}""");
        CheckpointWriter.Write(other.File(Checkpoint.SingleFile), [a, b with { Bytes = new byte[] { 0, 0, 0, 1 } }]);
        using Checkpoint first = Checkpoint.Open(whole.Path), second = Checkpoint.Open(split.Path), third = Checkpoint.Open(other.Path);
        Assert.Equal(first.Digest(TestContext.Current.CancellationToken), second.Digest(TestContext.Current.CancellationToken));
        Assert.NotEqual(first.Digest(TestContext.Current.CancellationToken), third.Digest(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_folder_without_a_checkpoint_says_what_is_missing()
    {
        using var folder = new CheckpointFolder();
        Assert.Contains("neither model.safetensors nor model.safetensors.index.json", Failure(folder).Message, StringComparison.Ordinal);
        Assert.Contains(
            "the folder is missing", Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.File("absent"))).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 4, "a.data_offsets", "truncated")]
    [InlineData("\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 12, "data", "4 bytes after the last tensor")]
    [InlineData(
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}",
        12, "b.data_offsets", "inside the tensor before it")]
    [InlineData("\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}", 12, "a.data_offsets", "a hole")]
    [InlineData("\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}", 8, "a.data_offsets", "takes 12")]
    [InlineData("\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}", 8, "a.shape", "overflows")]
    [InlineData("\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,8]}", 8, "a.shape", "overflows")]
    [InlineData("\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}", 8, "a.shape", "-2")]
    [InlineData("\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}", 8, "a.data_offsets", "not before")]
    [InlineData(
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,99999999999999999999]}", 8, "a.data_offsets", "99999999999999999999")]
    [InlineData("\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}", 8, "a.data_offsets", "must be")]
    [InlineData("\"a\":{\"dtype\":\"Q4\",\"shape\":[2],\"data_offsets\":[0,8]}", 8, "a.dtype", "Q4")]
    [InlineData("\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}", 8, "a.dtype", "F64")]
    [InlineData("\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}", 8, "a.dtype", "missing")]
    [InlineData("\"a\":7", 0, "a.dtype", "missing")]
    [InlineData(
        "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}", 8,
        "a", "twice")]
    [InlineData("\"__metadata__\":{\"format\":1}", 0, "__metadata__", "strings")]
    [InlineData("\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", 8, "header", "not JSON")]
    public void A_broken_header_names_file_and_field(string entries, int dataLength, string field, string problem)
    {
        using var folder = new CheckpointFolder().WithSafetensors($"{{{entries}}}", dataLength);
        var failure = Failure(folder);
        Assert.Equal((folder.File(Checkpoint.SingleFile), field), (failure.File, failure.Field));
        Assert.Contains(problem, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(new byte[] { 1, 0, 0 }, "too few")]
    [InlineData(new byte[] { 255, 255, 255, 255, 255, 255, 255, 255, 1 }, "at most 100000000")]
    [InlineData(new byte[] { 9, 0, 0, 0, 0, 0, 0, 0, 123, 125 }, "truncated: 9 bytes announced, 2 present")]
    [InlineData(new byte[] { 2, 0, 0, 0, 0, 0, 0, 0, 123, 123 }, "not JSON")]
    [InlineData(new byte[] { 2, 0, 0, 0, 0, 0, 0, 0, 91, 93 }, "not a JSON object")]
    public void A_file_that_is_not_safetensors_is_refused(byte[] bytes, string problem)
    {
        using var folder = new CheckpointFolder().WithBytes(bytes);
        Assert.Contains(problem, Failure(folder).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../model-1.safetensors")]
    [InlineData("/etc/model-1.safetensors")]
    [InlineData("sub\\\\model-1.safetensors")]
    [InlineData("C:model-1.safetensors")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("config.json")]
    [InlineData("a\\u0000.safetensors")]
    public void A_shard_name_that_leads_elsewhere_is_refused(string name)
    {
        using var folder = new CheckpointFolder().WithIndex($"{{\"weight_map\":{{\"a\":\"{name}\"}}}}");
        var failure = Failure(folder);
        Assert.Equal("weight_map.a", failure.Field);
        Assert.Contains("in the same folder", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map":{"a":"x.safetensors","b":"y.safetensors"}}""", "y.safetensors", "the file is missing")]
    [InlineData("""{"weight_map":{"a":"x.safetensors","b":"x.safetensors"}}""", "x.safetensors", "says that this tensor is here")]
    [InlineData("""{"weight_map":{"b":"x.safetensors"}}""", "x.safetensors", "is in no file")]
    [InlineData("""{"weight_map":{"a":"x.safetensors","a":"x.safetensors"}}""", Checkpoint.IndexFile, "named twice")]
    [InlineData("""{"weight_map":{}}""", Checkpoint.IndexFile, "names no tensor")]
    [InlineData("""{"metadata":{}}""", Checkpoint.IndexFile, "missing")]
    [InlineData("{", Checkpoint.IndexFile, "not JSON")]
    public void An_index_that_does_not_fit_its_shards_is_refused(string index, string file, string problem)
    {
        using var folder = new CheckpointFolder().WithSafetensors($"{{\"a\":{TwoFloats}}}", 8, "x.safetensors").WithIndex(index);
        var failure = Failure(folder);
        Assert.Equal(folder.File(file), failure.File);
        Assert.Contains(problem, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_that_two_shards_hold_is_refused()
    {
        using var folder = new CheckpointFolder()
            .WithSafetensors($"{{\"a\":{TwoFloats}}}", 8, "x.safetensors")
            .WithSafetensors(
                $"{{\"a\":{TwoFloats.Replace("[2]", "[1]").Replace("8]", "4]")},\"b\":{TwoFloats.Replace("[0,8]", "[4,12]")}}}",
                12,
                "y.safetensors")
            .WithIndex("""{"weight_map":{"a":"x.safetensors","b":"y.safetensors"}}""");
        Assert.Equal((folder.File("y.safetensors"), "a"), (Failure(folder).File, Failure(folder).Field));
    }

    [Fact]
    public void The_shards_of_the_vectors_open_as_one_model()
    {
        using var checkpoint = Checkpoint.Open(Vectors.Path("models", "qwen3-qknorm"));
        Assert.Equal(60_784, checkpoint.WeightCount);
    }

    private static CheckpointException Failure(CheckpointFolder folder) =>
        Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path));

    private static byte[] Narrowed(TensorType type, float[] values)
    {
        var elements = new byte[values.Length * type.Size()];
        type.Narrow(values, elements);
        return elements;
    }
}
