using System.Text.Json.Nodes;
using FedKSeed.Checkpoints;
using FedKSeed.Tests;

namespace FedKSeed.LanguageModels.Tests;

public class ModelFolderTests
{
    private static readonly ReferenceModel Reference = new("llama-gqa-untied");

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
            "lm_head.weight is not used",
            "model.layers.0.mlp.down_proj.weight has the shape [64, 160] instead of [64, 128]");
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
}
