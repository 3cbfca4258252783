using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace FedKSeed.SampleModel;

/// <summary>The files beside the weights in a Hugging Face model folder.</summary>
internal static class ModelFolder
{
    private const string TransformersVersion = "5.17.0";

    // Pieces are printable characters on purpose; escaping them would hide the vocabulary from readers.
    private static readonly JsonSerializerOptions Readable = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping
    };

    public static void Write(string folder, LlamaShape shape, BytePairEncoding encoding)
    {
        Save(folder, "config.json", Config(shape));
        Save(folder, "generation_config.json", GenerationConfig());
        Save(folder, "tokenizer.json", Tokenizer(encoding));
        Save(folder, "tokenizer_config.json", TokenizerConfig(shape));
        Save(folder, "special_tokens_map.json", SpecialTokensMap());
    }

    private static JsonObject Config(LlamaShape shape) => new()
    {
        ["architectures"] = new JsonArray("LlamaForCausalLM"),
        ["attention_bias"] = false,
        ["attention_dropout"] = Float("0.0"),
        ["bos_token_id"] = SampleTokenizer.BeginningId,
        ["dtype"] = "float32",
        ["eos_token_id"] = SampleTokenizer.EndId,
        ["head_dim"] = shape.HeadSize,
        ["hidden_act"] = "silu",
        ["hidden_size"] = shape.Hidden,
        ["initializer_range"] = 0.02,
        ["intermediate_size"] = shape.Intermediate,
        ["max_position_embeddings"] = shape.MaxPositions,
        ["mlp_bias"] = false,
        ["model_type"] = "llama",
        ["num_attention_heads"] = shape.Heads,
        ["num_hidden_layers"] = shape.Layers,
        ["num_key_value_heads"] = shape.KeyValueHeads,
        ["pad_token_id"] = SampleTokenizer.PaddingId,
        ["pretraining_tp"] = 1,
        ["rms_norm_eps"] = Float($"{shape.NormEpsilon}"),
        ["rope_parameters"] = new JsonObject { ["rope_theta"] = Float($"{shape.RopeTheta:F1}"), ["rope_type"] = "default" },
        ["tie_word_embeddings"] = true,
        ["transformers_version"] = TransformersVersion,
        ["use_cache"] = true,
        ["vocab_size"] = shape.VocabularySize,
    };

    /// <summary>A number that keeps its point: transformers tells 10000.0 from 10000.</summary>
    private static JsonNode Float(string text) => JsonNode.Parse(text)!;

    private static JsonObject GenerationConfig() => new()
    {
        ["_from_model_config"] = true,
        ["bos_token_id"] = SampleTokenizer.BeginningId,
        ["eos_token_id"] = SampleTokenizer.EndId,
        ["pad_token_id"] = SampleTokenizer.PaddingId,
        ["transformers_version"] = TransformersVersion,
        ["use_cache"] = true,
    };

    private static JsonObject TokenizerConfig(LlamaShape shape) => new()
    {
        ["add_bos_token"] = true,
        ["add_prefix_space"] = true,
        ["bos_token"] = SampleTokenizer.Beginning,
        ["clean_up_tokenization_spaces"] = false,
        ["eos_token"] = SampleTokenizer.End,
        ["model_max_length"] = shape.MaxPositions,
        ["pad_token"] = SampleTokenizer.Padding,
        ["tokenizer_class"] = "PreTrainedTokenizerFast",
    };

    private static JsonObject SpecialTokensMap() => new()
    {
        ["bos_token"] = SampleTokenizer.Beginning,
        ["eos_token"] = SampleTokenizer.End,
        ["pad_token"] = SampleTokenizer.Padding,
    };

    private static JsonObject Tokenizer(BytePairEncoding encoding) => new()
    {
        ["version"] = "1.0",
        ["truncation"] = null,
        ["padding"] = null,
        ["added_tokens"] = new JsonArray([.. SampleTokenizer.SpecialTokens.Select(AddedToken)]),
        ["normalizer"] = null,
        // The space before the first word makes a prompt and an answer tokenised apart the same as the two in one text.
        ["pre_tokenizer"] = ByteLevel(addPrefixSpace: true),
        ["post_processor"] = BeginningFirst(),
        ["decoder"] = ByteLevel(addPrefixSpace: true),
        ["model"] = new JsonObject
        {
            ["type"] = "BPE",
            ["dropout"] = null,
            ["unk_token"] = null,
            ["continuing_subword_prefix"] = null,
            ["end_of_word_suffix"] = null,
            ["fuse_unk"] = false,
            ["byte_fallback"] = false,
            ["ignore_merges"] = false,
            ["vocab"] = new JsonObject(encoding.Vocabulary.Select((piece, id) => KeyValuePair.Create(piece, (JsonNode?)id))),
            ["merges"] = new JsonArray([.. encoding.Merges.Select(merge => new JsonArray(merge.Left, merge.Right))]),
        },
    };

    private static JsonObject AddedToken(string content, int id) => new()
    {
        ["id"] = id,
        ["content"] = content,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = true,
    };

    private static JsonObject ByteLevel(bool addPrefixSpace) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = addPrefixSpace,
        ["trim_offsets"] = true,
        ["use_regex"] = true,
    };

    /// <summary>Puts the beginning token before every text, as Llama 3's tokenizer does.</summary>
    private static JsonObject BeginningFirst()
    {
        JsonObject Special() => new() { ["SpecialToken"] = new JsonObject { ["id"] = SampleTokenizer.Beginning, ["type_id"] = 0 } };
        JsonObject Text(string name, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = type } };
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray(Special(), Text("A", 0)),
            ["pair"] = new JsonArray(Special(), Text("A", 0), Special(), Text("B", 1)),
            ["special_tokens"] = new JsonObject
            {
                [SampleTokenizer.Beginning] = new JsonObject
                {
                    ["id"] = SampleTokenizer.Beginning,
                    ["ids"] = new JsonArray(SampleTokenizer.BeginningId),
                    ["tokens"] = new JsonArray(SampleTokenizer.Beginning),
                },
            },
        };
    }

    private static void Save(string folder, string name, JsonNode content) =>
        File.WriteAllText(Path.Combine(folder, name), content.ToJsonString(Readable) + "\n");
}
