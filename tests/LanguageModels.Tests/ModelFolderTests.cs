using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using FedKSeed.Checkpoints;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Tests;

namespace FedKSeed.LanguageModels.Tests;

public class ModelFolderTests
{
    private static readonly ReferenceModel Reference = new("llama-gqa-untied"), Tied = new("llama3-rope-tied");

    [Fact]
    public void A_folder_without_config_says_so()
    {
        using TemporaryFolder folder = new();
        AssertRefused<InvalidDataException>(folder, "config.json is missing");
    }

    [Fact]
    public void A_folder_without_weights_says_so()
    {
        using TemporaryFolder folder = new();
        File.Copy(Path.Combine(Reference.Folder, "config.json"), Path.Combine(folder.Path, "config.json"));
        AssertRefused<CheckpointException>(folder, "model.safetensors");
    }

    [Fact]
    public void Another_architecture_is_refused_by_name()
    {
        using var folder = Changed(config => config["model_type"] = "mamba");
        AssertRefused<InvalidDataException>(folder, "model_type is mamba; supported: gpt2, llama, mistral, qwen2, qwen3");
    }

    [Fact]
    public void Every_unsupported_field_is_named_at_once()
    {
        using var folder = Changed(config =>
        {
            config["hidden_act"] = "gelu";
            config["num_hidden_layers"] = int.MaxValue;
            config.Remove("intermediate_size");
            config["rope_parameters"]!["rope_type"] = "yarn";
        });
        AssertRefused<InvalidDataException>(
            folder, "hidden_act is gelu", "num_hidden_layers must be a positive integer, at most 1024, it is 2147483647",
            "intermediate_size is missing", "rope_type is yarn");
    }

    [Fact]
    public void Missing_left_over_and_misshapen_tensors_are_named_at_once()
    {
        using var deeper = Changed(config =>
        {
            config["num_hidden_layers"] = 3;
            config["tie_word_embeddings"] = true;
            config["intermediate_size"] = 128;
        });
        AssertRefused<InvalidDataException>(deeper,
            "model.layers.2.self_attn.q_proj.weight is missing",
            "lm_head.weight: config.json ties the output layer to the embedding, but this tensor differs from model.embed_tokens.weight",
            "model.layers.0.mlp.down_proj.weight has the shape [64, 160] instead of [64, 128]");
    }

    [Fact]
    public void A_tied_model_that_stores_its_head_too_is_the_model_that_does_not()
    {
        using var folder = WithHead(tensor => tensor);
        using CausalLanguageModel stored = CausalLanguageModel.Load(folder.Path), plain = Tied.Load();
        Assert.Equal(plain.Checkpoint.Weights.Count + 1, stored.Checkpoint.Weights.Count);
        Assert.Equal(0, stored.Checkpoint[TiedHead.HeadName].Ordinal);
        using ModelWeights a = stored.BaseWeights(), b = plain.BaseWeights();
        Assert.Equal(plain.Loss(b, Tied.Batch), stored.Loss(a, Tied.Batch));

        // The version of a tuned model: what is written is what was computed with, and loads as the base does.
        using TemporaryFolder rebuilt = new();
        Rebuilder version = new(Tied.Pool, [.. Enumerable.Range(0, Tied.Pool.SeedCount).Select(seed => seed % 201 - 100)], 18);
        RebuiltCheckpoint.Write(stored.Checkpoint, version, rebuilt.Path, cancellation: TestContext.Current.CancellationToken);
        RebuiltCheckpoint.CopyCompanions(folder.Path, rebuilt.Path);
        using var tuned = CausalLanguageModel.Load(rebuilt.Path);
        using ModelWeights written = tuned.BaseWeights(), computed = stored.Rebuild(version);
        // What is written is rounded once more, to the checkpoint's BF16.
        Assert.Equal(stored.Loss(computed, Tied.Batch), tuned.Loss(written, Tied.Batch), 1e-3);
        Assert.NotEqual(stored.Loss(a, Tied.Batch), tuned.Loss(written, Tied.Batch), 1e-3);
        var (head, embedding) = (tuned.Checkpoint[TiedHead.HeadName], tuned.Checkpoint["model.embed_tokens.weight"]);
        Assert.Equal(embedding.ToArray(), head.ToArray());
        Assert.NotEqual(plain.Checkpoint["model.embed_tokens.weight"].ToArray(), head.ToArray());
    }

    [Fact]
    public void A_checkpoint_made_elsewhere_that_stores_its_tied_head_loads_and_is_rebuilt_into_one_that_does()
    {
        using var model = CausalLanguageModel.Load(Case("tied-stores-same-head"));
        using var weights = model.BaseWeights();
        var stored = model.Checkpoint;
        Assert.Equal(stored["model.embed_tokens.weight"].ToArray(), stored[TiedHead.HeadName].ToArray());
        TokenBatch batch = new([new([1, 2, 3], [-100, 2, 3])]);
        using TemporaryFolder rebuilt = new();
        Rebuilder version = new(Tied.Pool, [.. Enumerable.Range(0, Tied.Pool.SeedCount).Select(seed => seed % 201 - 100)], 18);
        RebuiltCheckpoint.Write(stored, version, rebuilt.Path, cancellation: TestContext.Current.CancellationToken);
        RebuiltCheckpoint.CopyCompanions(stored.Folder, rebuilt.Path);
        using var tuned = CausalLanguageModel.Load(rebuilt.Path);
        using var moved = tuned.BaseWeights();
        Assert.NotEqual(model.Loss(weights, batch), tuned.Loss(moved, batch));
        Assert.Equal(tuned.Checkpoint["model.embed_tokens.weight"].ToArray(), tuned.Checkpoint[TiedHead.HeadName].ToArray());
        Assert.NotEqual(stored[TiedHead.HeadName].ToArray(), tuned.Checkpoint[TiedHead.HeadName].ToArray());
    }

    [Fact]
    public void A_tied_model_whose_stored_head_is_another_matrix_is_refused_wherever_it_is_opened()
    {
        using var folder = WithHead(bytes => [(byte)(bytes[0] ^ 1), .. bytes[1..]]);
        AssertRefused<InvalidDataException>(folder, "lm_head.weight", "set tie_word_embeddings to false", "take the tensor out");
        using var checkpoint = Checkpoint.Open(folder.Path);
        using TemporaryFolder target = new();
        Rebuilder version = new(Tied.Pool, new int[Tied.Pool.SeedCount], 0);
        Assert.Throws<CheckpointException>(() => RebuiltCheckpoint.Write(
            checkpoint, version, target.Path, cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void The_older_form_of_the_rotary_fields_means_the_same()
    {
        using var folder = Changed(config =>
        {
            config.Remove("rope_parameters");
            config.Remove("head_dim");
            config["rope_theta"] = 10000.0;
            config["rope_scaling"] = null;
        });
        using var model = CausalLanguageModel.Load(folder.Path);
        using var weights = model.BaseWeights();
        Assert.Equal(Reference.Loss, model.Loss(weights, Reference.Batch), 1e-4 * Reference.Loss);
    }

    [Fact]
    public void Ids_outside_the_vocabulary_and_texts_beyond_the_context_are_refused()
    {
        using var folder = Changed(config => config["max_position_embeddings"] = 16);
        using var model = CausalLanguageModel.Load(folder.Path);
        using var weights = model.BaseWeights();
        Assert.Contains(
            "outside the model's vocabulary of 320",
            Assert.Throws<ArgumentException>(() => model.Loss(weights, new TokenBatch([new([320, 1], [-100, 1])]))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "longer than the 16", Assert.Throws<ArgumentException>(() => model.Loss(weights, Reference.Batch)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_tokenizer_whose_ids_exceed_the_embedding_is_refused()
    {
        using var folder = Changed(_ => { });
        File.Copy(Vectors.Path("tokenizers", "bytelevel", "tokenizer.json"), Path.Combine(folder.Path, "tokenizer.json"));
        using var model = CausalLanguageModel.Load(folder.Path);
        var error = Assert.Throws<InvalidDataException>(model.LoadTokenizer);
        Assert.Contains(
            "the tokenizer gives ids up to 639, but vocab_size in config.json and the embedding end at 319", error.Message,
            StringComparison.Ordinal);
    }

    /// <summary>The tied reference model with its embedding stored as the head too, as Qwen3-0.6B's is.</summary>
    private static TemporaryFolder WithHead(Func<byte[], byte[]> change)
    {
        TemporaryFolder folder = new();
        folder.CopyFrom(Tied.Folder);
        using (var source = Checkpoint.Open(Tied.Folder))
        {
            var tensors = source.Tensors.ToDictionary(
                tensor => tensor.Name,
                tensor => new TensorContent(tensor.Name, tensor.Type, tensor.Shape, tensor.Bytes(0, (int)tensor.ByteCount).ToArray()));
            var embedding = tensors["model.embed_tokens.weight"];
            var head = embedding with { Name = TiedHead.HeadName, Bytes = change(embedding.Bytes.ToArray()) };
            CheckpointWriter.Write(Path.Combine(folder.Path, Checkpoint.SingleFile), [.. tensors.Values, head]);
        }
        return folder;
    }

    private static TemporaryFolder Changed(Action<JsonObject> change)
    {
        TemporaryFolder folder = new();
        folder.CopyFrom(Reference.Folder);
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(Reference.Folder, "config.json")))!.AsObject();
        change(config);
        folder.Write("config.json", config.ToJsonString());
        return folder;
    }

    private static void AssertRefused<TException>(TemporaryFolder folder, params string[] reasons) where TException : Exception
    {
        var error = Assert.Throws<TException>(() => CausalLanguageModel.Load(folder.Path));
        Assert.All(reasons, reason => Assert.Contains(reason, error.Message, StringComparison.Ordinal));
    }

    private static string Case(string name, [CallerFilePath] string thisFile = "") =>
        Path.Combine(Path.GetDirectoryName(thisFile)!, "Checkpoints", name);
}
