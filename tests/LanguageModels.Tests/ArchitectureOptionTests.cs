using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using FedKSeed.Checkpoints;
using FedKSeed.Tests;

namespace FedKSeed.LanguageModels.Tests;

/// <summary>
/// Configurations that tests/Vectors has no checkpoint for, against an independent forward pass (Options/make_known_answers.py).
/// </summary>
public class ArchitectureOptionTests
{
    private static readonly JsonElement[] Known =
        [.. JsonSerializer.Deserialize<JsonElement>(File.ReadAllBytes(KnownAnswers())).EnumerateArray()];

    public static TheoryData<string> Cases => new(Known.Select(known => known.GetProperty("name").GetString()!));

    [Theory]
    [MemberData(nameof(Cases))]
    public void An_option_gives_the_known_loss(string name)
    {
        var known = Known.Single(some => some.GetProperty("name").GetString() == name);
        ReferenceModel reference = new(known.GetProperty("model").GetString()!);
        using var folder = Changed(reference, known);
        using var model = CausalLanguageModel.Load(folder.Path);
        using var weights = model.BaseWeights();
        var expected = known.GetProperty("loss").GetDouble();
        Assert.Equal(expected, model.Loss(weights, reference.Batch), 1e-6 * expected);
    }

    [Fact]
    public void A_scaled_context_is_longer_than_the_trained_one()
    {
        var known = Known.Single(some => some.GetProperty("name").GetString() == "dynamic scaling beyond the trained length");
        using var folder = Changed(new ReferenceModel("llama-gqa-untied"), known);
        using var model = CausalLanguageModel.Load(folder.Path);
        Assert.Equal(4 * 16, model.MaxLength);
    }

    [Fact]
    public void A_checkpoint_of_the_body_alone_and_with_mask_buffers_is_the_same_model()
    {
        ReferenceModel reference = new("gpt2");
        using var whole = Checkpoint.Open(reference.Folder);
        using TemporaryFolder folder = new();
        File.Copy(Path.Combine(reference.Folder, "config.json"), Path.Combine(folder.Path, "config.json"));
        var body = whole.Weights.Select(tensor =>
            new TensorContent(
                tensor.Name.Replace("transformer.", "", StringComparison.Ordinal), tensor.Type, tensor.Shape,
                tensor.Bytes(0, (int)tensor.ByteCount).ToArray()));
        TensorContent mask = new("h.0.attn.bias", TensorType.F32, [1, 1, 2, 2], new byte[16]);
        CheckpointWriter.Write(Path.Combine(folder.Path, Checkpoint.SingleFile), [.. body, mask]);
        using var model = CausalLanguageModel.Load(folder.Path);
        using var weights = model.BaseWeights();
        Assert.Equal(reference.Loss, model.Loss(weights, reference.Batch), 1e-4 * reference.Loss);
    }

    private static TemporaryFolder Changed(ReferenceModel reference, JsonElement known)
    {
        TemporaryFolder folder = new();
        folder.CopyFrom(reference.Folder);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(reference.Folder, "config.json")))!.AsObject();
        foreach (var field in known.GetProperty("change").EnumerateObject())
            config[field.Name] = JsonNode.Parse(field.Value.GetRawText());
        folder.Write("config.json", config.ToJsonString());
        string[] biases = [.. known.GetProperty("biases").EnumerateArray().Select(bias => bias.GetString()!)];
        if (biases.Length > 0)
            AddBiases(reference, folder, biases);
        return folder;
    }

    private static void AddBiases(ReferenceModel reference, TemporaryFolder folder, string[] biases)
    {
        using var checkpoint = Checkpoint.Open(reference.Folder);
        var stored = checkpoint.Weights.Select(tensor =>
            new TensorContent(tensor.Name, tensor.Type, tensor.Shape, tensor.Bytes(0, (int)tensor.ByteCount).ToArray()));
        var added = biases.Select(
            name => MadeUpBias(name, (int)checkpoint[name.Replace(".bias", ".weight", StringComparison.Ordinal)].Shape[0]));
        CheckpointWriter.Write(Path.Combine(folder.Path, Checkpoint.SingleFile), [.. stored, .. added]);
    }

    // As in make_known_answers.py.
    private static TensorContent MadeUpBias(string name, int size)
    {
        float[] values = [.. Enumerable.Range(0, size).Select(i => ((i * 7 + name.Length) % 11 - 5) / 64f)];
        return new TensorContent(name, TensorType.F32, [size], MemoryMarshal.AsBytes(values.AsSpan()).ToArray());
    }

    private static string KnownAnswers([CallerFilePath] string thisFile = "") =>
        Path.Combine(Path.GetDirectoryName(thisFile)!, "Options", "known_answers.json");
}
