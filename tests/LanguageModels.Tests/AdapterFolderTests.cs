using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tests;

namespace FedKSeed.LanguageModels.Tests;

/// <summary>Adapters in folders: what is written is what was tuned.</summary>
public class AdapterFolderTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("llama-gqa-untied", false)]
    [InlineData("llama-gqa-untied", true)]
    [InlineData("qwen3-qknorm", false)]
    [InlineData("gpt2", false)]
    public void A_merged_model_says_what_the_adapted_one_says(string name, bool trainA)
    {
        ReferenceModel reference = new(name);
        using var model = reference.Load();
        var (space, rebuilder) = Version(model, new Adapter { Kind = AdapterKind.Lora, Rank = 4, TrainA = trainA });
        var adapted = model.With(space);
        using var weights = adapted.Rebuild(rebuilder);
        var content = AdapterContent.Rebuilt(space.Adapter!, adapted.Checkpoint, rebuilder);
        using var folder = new TemporaryFolder();
        RebuiltCheckpoint.Write(
            model.Checkpoint, rebuilder, folder.Path, merged: new MergedAdapter(content, model.Checkpoint), cancellation: Cancellation);
        RebuiltCheckpoint.CopyCompanions(reference.Folder, folder.Path);

        using var merged = CausalLanguageModel.Load(folder.Path);
        using ModelWeights whole = merged.BaseWeights(), plain = model.BaseWeights();
        AssertClose(adapted.Logits(weights, reference.Batch), merged.Logits(whole, reference.Batch), 1e-5f);
        Assert.Contains(
            adapted.Logits(weights, reference.Batch).Zip(model.Logits(plain, reference.Batch)),
            pair => Math.Abs(pair.First - pair.Second) > 1e-3f);
        var changed = merged.Checkpoint.Weights.Where(
            tensor => !tensor.ToArray().SequenceEqual(model.Checkpoint[tensor.Name].ToArray())).Select(tensor => tensor.Name);
        Assert.Equal(
            adapted.Checkpoint.Adapter.Select(tensor => tensor.Name.Replace(".lora_A", "", StringComparison.Ordinal)
                .Replace(".lora_B", "", StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal),
            changed.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("llama-gqa-untied")]
    [InlineData("llama3-rope-tied")]
    public void Biases_become_a_plain_folder_with_equal_logits_and_the_rest_of_the_base_is_untouched(string name)
    {
        ReferenceModel reference = new(name);
        using var model = reference.Load();
        var (space, rebuilder) = Version(model, new Adapter { Kind = AdapterKind.Bias });
        var adapted = model.With(space);
        using var weights = adapted.Rebuild(rebuilder);
        var merged = new MergedAdapter(AdapterContent.Rebuilt(space.Adapter!, adapted.Checkpoint, rebuilder), model.Checkpoint);
        using var folder = new TemporaryFolder();
        RebuiltCheckpoint.Write(model.Checkpoint, rebuilder, folder.Path, merged: merged, cancellation: Cancellation);
        RebuiltCheckpoint.CopyCompanions(reference.Folder, folder.Path);
        merged.WriteConfiguration(folder.Path);

        using var plain = CausalLanguageModel.Load(folder.Path);
        using var whole = plain.BaseWeights();
        Assert.Equal(model.Checkpoint.Weights.Count + adapted.Checkpoint.Adapter.Count, plain.Checkpoint.Weights.Count);
        foreach (var tensor in model.Checkpoint.Weights)
            Assert.True(tensor.Bytes(0, (int)tensor.ByteCount).SequenceEqual(
                plain.Checkpoint[tensor.Name].Bytes(0, (int)tensor.ByteCount)), tensor.Name);
        if (model.Checkpoint.Weights.All(tensor => tensor.Type == TensorType.F32))
            Assert.Equal(adapted.Logits(weights, reference.Batch), plain.Logits(whole, reference.Batch));
        else
            AssertClose(adapted.Logits(weights, reference.Batch), plain.Logits(whole, reference.Batch), 0.05f);
    }

    [Fact]
    public void Biases_of_a_model_in_shards_are_in_its_last_one_and_in_its_index()
    {
        ReferenceModel reference = new("llama-gqa-untied");
        using var model = reference.Load();
        using TemporaryFolder shards = new(), folder = new();
        var halves = model.Checkpoint.Tensors.Chunk((model.Checkpoint.Tensors.Count + 1) / 2).ToArray();
        string[] names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
        foreach (var (half, file) in halves.Zip(names))
            CheckpointWriter.Write(Path.Combine(shards.Path, file), half.Select(tensor => new TensorContent(
                tensor.Name, tensor.Type, tensor.Shape, tensor.Bytes(0, (int)tensor.ByteCount).ToArray())));
        var map = halves.Zip(names).SelectMany(pair => pair.First.Select(tensor => $"\"{tensor.Name}\":\"{pair.Second}\""));
        File.WriteAllText(
            Path.Combine(shards.Path, Checkpoint.IndexFile),
            $$$"""{"metadata":{"total_size":100},"weight_map":{{{{string.Join(',', map)}}}}}""");
        RebuiltCheckpoint.CopyCompanions(reference.Folder, shards.Path);
        using var source = CausalLanguageModel.Load(shards.Path);
        var (space, rebuilder) = Version(source, new Adapter { Kind = AdapterKind.Bias });
        var adapted = source.With(space);
        var merged = new MergedAdapter(AdapterContent.Rebuilt(space.Adapter!, adapted.Checkpoint, rebuilder), source.Checkpoint);
        RebuiltCheckpoint.Write(source.Checkpoint, rebuilder, folder.Path, merged: merged, cancellation: Cancellation);
        RebuiltCheckpoint.CopyCompanions(shards.Path, folder.Path);
        merged.WriteConfiguration(folder.Path);

        using var plain = CausalLanguageModel.Load(folder.Path);
        using ModelWeights weights = adapted.Rebuild(rebuilder), whole = plain.BaseWeights();
        Assert.Equal(adapted.Loss(weights, reference.Batch), plain.Loss(whole, reference.Batch));
        var bytes = merged.Biases.Sum(tensor => tensor.Bytes.Length);
        Assert.Contains($"{100 + bytes}", File.ReadAllText(Path.Combine(folder.Path, Checkpoint.IndexFile)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(AdapterKind.Lora)]
    [InlineData(AdapterKind.Prompt)]
    public void A_folder_of_an_adapter_loads_with_its_base_and_says_the_same(AdapterKind kind)
    {
        ReferenceModel reference = new("llama3-rope-tied");
        using var model = reference.Load();
        var (space, rebuilder) = Version(model, new Adapter { Kind = kind, Rank = 4 });
        var adapted = model.With(space);
        using var weights = adapted.Rebuild(rebuilder);
        using var folder = new TemporaryFolder();
        PeftFolder.Write(AdapterContent.Rebuilt(space.Adapter!, adapted.Checkpoint, rebuilder), model.Checkpoint, folder.Path);

        var (source, adapter) = PeftFolder.Find(folder.Path);
        using var loaded = CausalLanguageModel.Load(source, adapter);
        using var read = loaded.BaseWeights();
        Assert.Equal(adapted.Logits(weights, reference.Batch), loaded.Logits(read, reference.Batch));
        Assert.Equal(adapted.MaxLength, loaded.MaxLength);
    }

    /// <summary>A space with an adapter, and a version of it that is far enough from the first to be told from it.</summary>
    private static (DirectionSpace Space, Rebuilder Rebuilder) Version(CausalLanguageModel model, Adapter adapter)
    {
        var space = new DirectionSpace { SeedCount = 8, Adapter = adapter }.Resolve(model.Checkpoint);
        return (space, new Rebuilder(space, [1, -2, 3, 0, 5, -8, 13, 21], 31));
    }

    private static void AssertClose(float[] expected, float[] actual, float tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance, $"{i}: {actual[i]} instead of {expected[i]}");
    }
}
