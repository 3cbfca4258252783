using System.Text;
using FedKSeed.Tests;

namespace FedKSeed.Checkpoints.Tests;

/// <summary>Folders with weights that cannot be read say what they hold and what to do.</summary>
public class ForeignWeightsTests
{
    [Theory]
    [InlineData("pytorch_model.bin", "pickle format", "save_pretrained")]
    [InlineData("pytorch_model.bin.index.json", "pickle format", "save_pretrained")]
    [InlineData("consolidated.00.pth", "Meta's own release", "Hugging Face format")]
    [InlineData("consolidated.safetensors", "Mistral's own release", "Hugging Face format")]
    [InlineData("adapter_model.safetensors", "an adapter without its base", "merge_and_unload")]
    [InlineData("tf_model.h5", "TensorFlow's", "from_tf=True")]
    [InlineData("flax_model.msgpack", "Flax's", "from_flax=True")]
    [InlineData("tiny.Q4_K_M.gguf", "llama.cpp", "Hugging Face format")]
    [InlineData("weights.safetensors", "of another name", "name it model.safetensors")]
    public void Weights_of_another_kind_are_named_with_what_to_do(string file, params string[] said)
    {
        using CheckpointFolder folder = new();
        folder.WithBytes([1], file);
        Refused(folder, [file, "neither model.safetensors", .. said]);
    }

    [Fact]
    public void A_folder_with_nothing_of_the_kind_says_only_what_is_missing()
    {
        using CheckpointFolder folder = new();
        folder.WithBytes([1], "README.md");
        var message = Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Message;
        Assert.EndsWith("is there.", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Checkpoint.SingleFile)]
    [InlineData(Checkpoint.IndexFile)]
    public void A_pointer_of_Git_LFS_is_named(string file)
    {
        using CheckpointFolder folder = new();
        folder.WithBytes(Encoding.ASCII.GetBytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n"), file);
        Assert.True(GitLfsPointer.Is(folder.File(file)));
        Refused(folder, file, "a Git LFS pointer", "git lfs pull");
    }

    [Theory]
    [InlineData("model.layers.0.mlp.down_proj.qweight", "AWQ or GPTQ")]
    [InlineData("model.layers.0.mlp.down_proj.g_idx", "GPTQ")]
    [InlineData("model.layers.0.mlp.down_proj.SCB", "bitsandbytes (8 bits)")]
    [InlineData("model.layers.0.mlp.down_proj.weight.absmax", "bitsandbytes (4 bits)")]
    [InlineData("model.layers.0.mlp.down_proj.weight_packed", "compressed-tensors")]
    [InlineData("model.layers.0.mlp.down_proj.scales", "MLX")]
    public void Quantised_weights_are_named_with_what_to_do(string tensor, string by)
    {
        using CheckpointFolder folder = new();
        CheckpointWriter.Write(folder.File(Checkpoint.SingleFile), [new TensorContent(tensor, TensorType.I32, [1], new byte[4])]);
        Refused(folder, $"quantised by {by}", "dequantize()");
    }

    [Theory]
    [InlineData("tf", "TensorFlow's")]
    [InlineData("flax", "Flax's")]
    public void The_safetensors_of_another_framework_are_named(string format, string said)
    {
        using CheckpointFolder folder = new();
        var header = Encoding.ASCII.GetBytes($$$"""{"__metadata__": {"format": "{{{format}}}"}}""");
        folder.WithBytes([.. BitConverter.GetBytes((long)header.Length), .. header], Checkpoint.SingleFile);
        Refused(folder, said, "PyTorch release");
    }

    private static void Refused(CheckpointFolder folder, params string[] said)
    {
        var message = Assert.Throws<CheckpointException>(() => Checkpoint.Open(folder.Path)).Message;
        Assert.All(said, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }
}
