using TorchSharp;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

/// <summary>config.json of a LLaMA model: today's form (<c>rope_parameters</c>) or the older (<c>rope_theta</c>, <c>rope_scaling</c>).</summary>
internal sealed record LlamaConfig
{
    // The rotary table is made for at most so many positions; more context than that is not for this program.
    private const int MaxPositions = 8192;

    public required int Vocabulary { get; init; }
    public required int Hidden { get; init; }
    public required int Intermediate { get; init; }
    public required int Layers { get; init; }
    public required int Heads { get; init; }
    public required int KeyHeads { get; init; }
    public required int HeadSize { get; init; }
    public required int MaxLength { get; init; }
    public required double NormEpsilon { get; init; }
    public required bool TiedEmbeddings { get; init; }
    public required float[] InverseFrequencies { get; init; }

    /// <exception cref="InvalidDataException">Fields are missing or not supported; the message names all of them.</exception>
    public static LlamaConfig Read(ModelConfig config)
    {
        config.Choice("hidden_act", "silu", "silu");
        foreach (string field in (string[])["attention_bias", "mlp_bias"])
        {
            if (config.Flag(field, absent: false))
                config.Refuse(field, "false");
        }
        int hidden = config.Integer("hidden_size");
        int heads = config.Integer("num_attention_heads");
        int keyHeads = config.Integer("num_key_value_heads", absent: heads);
        if (heads % keyHeads != 0)
            config.Refuse("num_key_value_heads", $"a divisor of num_attention_heads, {heads}");
        if (!config.Has("head_dim") && hidden % heads != 0)
            config.Refuse("hidden_size", $"a multiple of num_attention_heads, {heads}, where head_dim is absent");
        int headSize = config.Integer("head_dim", absent: Math.Max(hidden / heads, 1));
        if (headSize % 2 != 0)
            config.Refuse("head_dim", "an even number");
        LlamaConfig read = new()
        {
            Vocabulary = config.Integer("vocab_size"),
            Hidden = hidden,
            Intermediate = config.Integer("intermediate_size"),
            Layers = config.Integer("num_hidden_layers"),
            Heads = heads,
            KeyHeads = keyHeads,
            HeadSize = headSize,
            MaxLength = Math.Min(config.Integer("max_position_embeddings", absent: 2048), MaxPositions),
            NormEpsilon = config.Number("rms_norm_eps", absent: 1e-6),
            TiedEmbeddings = config.Flag("tie_word_embeddings", absent: false),
            InverseFrequencies = ReadRotary(config, headSize),
        };
        config.ThrowIfFaulty();
        return read;
    }

    private static float[] ReadRotary(ModelConfig config, int headSize)
    {
        ModelConfig? rope = config.Section("rope_parameters") ?? config.Section("rope_scaling");
        double theta = rope is not null && rope.Has("rope_theta") ? rope.Number("rope_theta") : config.Number("rope_theta", absent: 10_000);
        float[] frequencies = RotaryEmbedding.InverseFrequencies(headSize, theta);
        string type = rope?.Choice(rope.Has("rope_type") ? "rope_type" : "type", "default", "default", "llama3") ?? "default";
        return type == "default" ? frequencies : RotaryEmbedding.Stretch(frequencies,
            rope!.Number("factor"), rope.Number("low_freq_factor"), rope.Number("high_freq_factor"),
            rope.Number("original_max_position_embeddings"));
    }
}

/// <summary>
/// LLaMA (Touvron et al. 2023): pre-norm blocks of grouped-query attention with rotary positions and a SwiGLU feed-forward.
/// Letters in the shapes: S weight sets, N tokens in B texts of at most T, M positions where logits are wanted, H hidden,
/// Q query heads, K key heads, D head size, F feed-forward, V vocabulary.
/// </summary>
internal sealed class Llama : Decoder
{
    private sealed record Layer(
        Parameter InputNorm, Parameter QueryKeyValue, Parameter Output, Parameter PostNorm, Parameter GateUp, Parameter Down);

    private readonly LlamaConfig _config;
    private readonly RotaryEmbedding _rotary;
    private readonly Parameter _embedding;
    private readonly Layer[] _layers;
    private readonly Parameter _finalNorm;
    private readonly Parameter _head;

    public Llama(LlamaConfig config)
    {
        _config = config;
        _rotary = new RotaryEmbedding(config.InverseFrequencies, config.MaxLength);
        _embedding = Layout.AddMatrix(config.Hidden, new ParameterPart("model.embed_tokens.weight", config.Vocabulary));
        _layers = [.. Enumerable.Range(0, config.Layers).Select(AddLayer)];
        _finalNorm = Layout.AddVector("model.norm.weight", config.Hidden);
        _head = config.TiedEmbeddings ? _embedding : Layout.AddMatrix(config.Hidden, new ParameterPart("lm_head.weight", config.Vocabulary));
    }

    public override WeightLayout Layout { get; } = new();
    public override int VocabularySize => _config.Vocabulary;
    public override int MaxLength => _config.MaxLength;

    public override KeyValueCache NewCache(int rows, int capacity) =>
        new(_config.Layers, rows, _config.KeyHeads, capacity, _config.HeadSize);

    public override Tensor Logits(IWeights weights, DecoderInput input, KeyValueCache? cache = null)
    {
        Tensor x = weights.Table(_embedding).index_select(1, input.Ids); // [S, N, H]
        for (int i = 0; i < _layers.Length; i++)
            x = Block(weights, i, x, input, cache); // [S, N, H], at last [S, M, H]
        cache?.Advance((int)input.Length);
        return bmm(RmsNorm(x, weights.Vector(_finalNorm)), weights.Transposed(_head)); // [S, M, V]
    }

    private Tensor Block(IWeights weights, int index, Tensor x, DecoderInput input, KeyValueCache? cache)
    {
        // The activations of one block at a time are in memory, not those of all of them.
        using DisposeScope scope = NewDisposeScope();
        Layer layer = _layers[index];
        Tensor attended = Attention(weights, layer, RmsNorm(x, weights.Vector(layer.InputNorm)), index, input, cache); // [S, N, Q·D]
        if (index == _layers.Length - 1)
        {
            // No token looks at another from here on: go on with those whose logits are wanted.
            x = x.index_select(1, input.Positions); // [S, M, H]
            attended = attended.index_select(1, input.Positions); // [S, M, Q·D]
        }
        x = bmm(attended, weights.Transposed(layer.Output)).add_(x); // [S, N, H]
        return FeedForward(weights, layer, x).MoveToOuterDisposeScope(); // [S, N, H]
    }

    private Tensor Attention(IWeights weights, Layer layer, Tensor x, int index, DecoderInput input, KeyValueCache? cache)
    {
        (long queryHeads, long keyHeads, long size) = (_config.Heads, _config.KeyHeads, _config.HeadSize);
        Tensor projected = bmm(x, weights.Transposed(layer.QueryKeyValue)); // [S, N, (Q+2K)·D]
        if (input.Cells is not null)
            projected = projected.index_select(1, input.Cells); // [S, B·T, (Q+2K)·D]
        Tensor heads = projected.view(weights.Sets * input.Rows, input.Length, queryHeads + 2 * keyHeads, size); // [S·B, T, Q+2K, D]
        Tensor turned = _rotary.Apply(heads.narrow(2, 0, queryHeads + keyHeads), cache?.Length ?? 0); // [S·B, T, Q+K, D]
        Tensor queries = turned.narrow(2, 0, queryHeads).transpose(1, 2); // [S·B, Q, T, D]
        Tensor keys = turned.narrow(2, queryHeads, keyHeads).transpose(1, 2); // [S·B, K, T, D]
        Tensor values = heads.narrow(2, queryHeads + keyHeads, keyHeads).transpose(1, 2); // [S·B, K, T, D]
        if (cache is not null)
            (keys, values) = cache.Append(index, keys, values); // [B, K, all tokens so far, D]
        if (keyHeads != queryHeads)
            (keys, values) = (keys.repeat_interleave(queryHeads / keyHeads, 1), values.repeat_interleave(queryHeads / keyHeads, 1));
        Tensor attended = nn.functional.scaled_dot_product_attention(queries, keys, values, is_casual: input.Length > 1) // [S·B, Q, T, D]
            .transpose(1, 2).reshape(weights.Sets, input.Rows * input.Length, queryHeads * size); // [S, B·T, Q·D]
        return input.TokenCells is null ? attended : attended.index_select(1, input.TokenCells); // [S, N, Q·D]
    }

    private Tensor FeedForward(IWeights weights, Layer layer, Tensor x)
    {
        Tensor gateUp = bmm(RmsNorm(x, weights.Vector(layer.PostNorm)), weights.Transposed(layer.GateUp)); // [S, N, 2F]
        Tensor gate = gateUp.narrow(2, 0, _config.Intermediate), up = gateUp.narrow(2, _config.Intermediate, _config.Intermediate); // [S, N, F]
        Tensor gated = gate.silu().mul_(up); // [S, N, F]
        return bmm(gated, weights.Transposed(layer.Down)).add_(x); // [S, N, H]
    }

    // x [S, N, H] by weight [S, 1, H]
    private Tensor RmsNorm(Tensor x, Tensor weight)
    {
        Tensor scale = x.square().mean([-1], keepdim: true).add_(_config.NormEpsilon).rsqrt_(); // [S, N, 1]
        return (x * scale).mul_(weight);
    }

    private Layer AddLayer(int index)
    {
        string name = $"model.layers.{index}";
        int queries = _config.Heads * _config.HeadSize, keys = _config.KeyHeads * _config.HeadSize;
        return new Layer(
            Layout.AddVector($"{name}.input_layernorm.weight", _config.Hidden),
            Layout.AddMatrix(_config.Hidden,
                new ParameterPart($"{name}.self_attn.q_proj.weight", queries),
                new ParameterPart($"{name}.self_attn.k_proj.weight", keys),
                new ParameterPart($"{name}.self_attn.v_proj.weight", keys)),
            Layout.AddMatrix(queries, new ParameterPart($"{name}.self_attn.o_proj.weight", _config.Hidden)),
            Layout.AddVector($"{name}.post_attention_layernorm.weight", _config.Hidden),
            Layout.AddMatrix(_config.Hidden,
                new ParameterPart($"{name}.mlp.gate_proj.weight", _config.Intermediate),
                new ParameterPart($"{name}.mlp.up_proj.weight", _config.Intermediate)),
            Layout.AddMatrix(_config.Intermediate, new ParameterPart($"{name}.mlp.down_proj.weight", _config.Hidden)));
    }
}
