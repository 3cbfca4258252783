namespace FedKSeed.Checkpoints;

/// <summary>Weights that are there and cannot be read: what they are, and what to do.</summary>
internal static class ForeignWeights
{
    private const string Convert =
        "convert it with transformers: AutoModelForCausalLM.from_pretrained(folder).save_pretrained(other, safe_serialization=True)";

    private const string Pickle = "weights in PyTorch's pickle format, which can run code when it is read";

    private const string TakeOther = "take the one in Hugging Face format, whose files are model*.safetensors";

    // The beginning of a name, its ending, what it is, what to do.
    private static readonly (string Begins, string Ends, string What, string Remedy)[] Files =
    [
        ("pytorch_model", ".bin", Pickle, Convert),
        ("pytorch_model", ".bin.index.json", Pickle, Convert),
        ("consolidated", ".pth", "Meta's own release", TakeOther),
        ("consolidated", ".safetensors", "Mistral's own release", TakeOther),
        ("adapter_model", "", "an adapter without its base model", "merge it into the base with PEFT: merge_and_unload()"),
        ("tf_model", ".h5", "TensorFlow's weights", Convert.Replace("(folder)", "(folder, from_tf=True)", StringComparison.Ordinal)),
        ("flax_model", ".msgpack", "Flax's weights", Convert.Replace("(folder)", "(folder, from_flax=True)", StringComparison.Ordinal)),
        ("", ".gguf", "a model of llama.cpp", "take the model's release in Hugging Face format: GGUF weights are mostly quantised"),
        ("", ".onnx", "an ONNX graph", "take the model's release in Hugging Face format"),
        ("", ".pt", Pickle, Convert),
        ("", ".pth", Pickle, Convert),
        ("", ".safetensors", "safetensors of another name", $"name it {Checkpoint.SingleFile}, if it is a whole model of Hugging Face"),
    ];

    // A tensor's name ends so, and the weights are quantised by what follows.
    private static readonly (string Ends, string By)[] Quantised =
    [
        (".g_idx", "GPTQ"), (".qzeros", "AWQ or GPTQ"), (".qweight", "AWQ or GPTQ"), (".SCB", "bitsandbytes (8 bits)"),
        (".absmax", "bitsandbytes (4 bits)"), (".weight_packed", "compressed-tensors"), (".weight_scale_inv", "FP8"),
        (".weight_scale", "FP8"), ("_blocks", "MXFP4"), (".scales", "MLX"),
    ];

    /// <summary>What a folder without our kind of weights holds instead; null where it is nothing that we know.</summary>
    public static string? InFolder(string folder)
    {
        string[] names = [.. Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        return (from file in Files
                from name in names
                where name.StartsWith(file.Begins, StringComparison.Ordinal) && name.EndsWith(file.Ends, StringComparison.Ordinal)
                select $"{name} is {file.What}: {file.Remedy}.").FirstOrDefault();
    }

    /// <summary>What quantised the weights; null where they are not.</summary>
    public static string? Quantisation(IReadOnlyList<string> names) =>
        Quantised.FirstOrDefault(each => names.Any(name => name.EndsWith(each.Ends, StringComparison.Ordinal))).By;

    /// <summary>The framework that a safetensors file names as its own, where its tensors lie otherwise than PyTorch's.</summary>
    public static string? Framework(string? format) => format switch
    {
        "tf" => "TensorFlow",
        "flax" => "Flax",
        _ => null,
    };
}

/// <summary>A file that Git LFS left in place of a large one: a few lines of text.</summary>
public static class GitLfsPointer
{
    private static ReadOnlySpan<byte> FirstLine => "version https://git-lfs.github.com/spec/"u8;

    /// <summary>What to say of it.</summary>
    public const string Problem = "a Git LFS pointer, not the file itself: run git lfs pull in its folder, or download it again.";

    public static bool Is(string path)
    {
        using var file = File.OpenRead(path);
        Span<byte> head = stackalloc byte[FirstLine.Length];
        return file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length && head.SequenceEqual(FirstLine);
    }
}
