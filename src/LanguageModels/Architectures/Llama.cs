using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Generation;
using FedKSeed.LanguageModels.Weights;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Architectures;

/// <summary>
/// LLaMA (Touvron et al. 2023): pre-norm blocks of grouped-query attention with rotary positions and a SwiGLU feed-forward;
/// and its relatives, by options: Mistral's sliding window, Qwen 2's biases, Qwen 3's normalised queries and keys. Letters in
/// the shapes: S weight sets, N tokens in B texts of at most T, M positions where logits are wanted, H hidden, Q query heads, K key heads,
/// D head size, F feed-forward, V vocabulary.
/// </summary>
internal sealed class Llama : Decoder
{
    private sealed record Layer
    {
        public required Parameter InputNorm { get; init; }
        public required Parameter QueryKeyValue { get; init; }
        public required Parameter? QueryKeyValueBias { get; init; }
        public required Parameter? QueryNorm { get; init; }
        public required Parameter? KeyNorm { get; init; }
        public required Parameter Output { get; init; }
        public required Parameter? OutputBias { get; init; }
        public required Parameter PostNorm { get; init; }
        public required Parameter GateUp { get; init; }
        public required Parameter? GateUpBias { get; init; }
        public required Parameter Down { get; init; }
        public required Parameter? DownBias { get; init; }
    }

    /// <summary>What all blocks of one pass share.</summary>
    /// <param name="Rotation">Of the input's positions.</param>
    /// <param name="Window">
    /// [T, all tokens so far], true where a token is seen in a windowed layer; null where all that are before it are.
    /// </param>
    private sealed record Pass(IWeights Weights, DecoderInput Input, KeyValueCache? Cache, Rotation Rotation, Tensor? Window);

    private readonly LlamaConfig _config;
    private readonly RotaryEmbedding _rotary;
    private readonly Parameter _embedding;
    private readonly Layer[] _layers;
    private readonly Parameter _finalNorm;

    public Llama(LlamaConfig config)
    {
        _config = config;
        _rotary = new RotaryEmbedding(config.Rotary, config.MaxLength);
        _embedding = Layout.AddMatrix(config.Hidden, new ParameterPart("model.embed_tokens.weight", config.Vocabulary));
        _layers = [.. Enumerable.Range(0, config.Layers).Select(AddLayer)];
        _finalNorm = Layout.AddVector("model.norm.weight", config.Hidden);
        Head = config.TiedEmbeddings ? _embedding : Layout.AddMatrix(config.Hidden, new ParameterPart("lm_head.weight", config.Vocabulary));
    }

    public override WeightLayout Layout { get; } = new(prefix: "model.");
    public override Parameter Head { get; }
    public override IReadOnlyList<Parameter> LookedUp => [_embedding];
    public override int VocabularySize => _config.Vocabulary;
    public override int MaxLength => _config.MaxLength;

    public override KeyValueCache NewCache(int rows, int capacity, ComputeType type, ModelDevice device) =>
        new(_config.Layers, rows, _config.KeyHeads, capacity, _config.HeadSize, type, device);

    public override Tensor Hidden(IWeights weights, DecoderInput input, KeyValueCache? cache = null)
    {
        var start = cache?.Length ?? 0;
        var rotation = _rotary.At(start, input.Length, weights.Type.Scalar(), weights.Device);
        Pass pass = new(weights, input, cache, rotation, WindowMask(start, input.Length, weights.Device));
        var x = weights.Rows(_embedding, input.Ids); // [S, N, H]
        var normalised = weights.Operations.Normalise(x, weights.Vector(_layers[0].InputNorm), _config.NormEpsilon); // [S, N, H]
        for (var i = 0; i < _layers.Length; i++)
            (x, normalised) = Block(pass, i, x, normalised); // [S, N, H], at last [S, M, H]
        cache?.Advance((int)input.Length);
        return normalised;
    }

    // x [S, N, H] and its norm into those of the next block, or, from the last one, of the output layer.
    private (Tensor X, Tensor Normalised) Block(Pass pass, int index, Tensor x, Tensor normalised)
    {
        // The activations of one block at a time are in memory, not those of all of them.
        using var scope = NewDisposeScope();
        (var layer, var isLast) = (_layers[index], index == _layers.Length - 1);
        var attended = Attention(pass, index, normalised); // [S, N, Q·D]
        if (isLast)
        {
            // No token looks at another from here on: go on with those whose logits are wanted.
            x = x.index_select(1, pass.Input.Positions); // [S, M, H]
            attended = attended.index_select(1, pass.Input.Positions); // [S, M, Q·D]
        }
        var sum = Linear(pass.Weights, attended, layer.Output, layer.OutputBias); // [S, N, H]
        normalised = AddAndNormalise(pass.Weights, x, sum, layer.PostNorm);
        var next = FeedForward(pass.Weights, layer, normalised); // [S, N, H]
        normalised = AddAndNormalise(pass.Weights, sum, next, isLast ? _finalNorm : _layers[index + 1].InputNorm);
        return (next.MoveToOuterDisposeScope(), normalised.MoveToOuterDisposeScope());
    }

    // added ← x + added, and its norm.
    private Tensor AddAndNormalise(IWeights weights, Tensor x, Tensor added, Parameter norm) =>
        weights.Operations.AddAndNormalise(x, added, weights.Vector(norm), _config.NormEpsilon);

    private Tensor Attention(Pass pass, int index, Tensor x)
    {
        (var weights, var input, var layer) = (pass.Weights, pass.Input, _layers[index]);
        (long queryHeads, long keyHeads, long size) = (_config.Heads, _config.KeyHeads, _config.HeadSize);
        var projected = Linear(weights, x, layer.QueryKeyValue, layer.QueryKeyValueBias); // [S, N, (Q+2K)·D]
        if (layer.QueryNorm is not null)
            projected = NormaliseHeads(weights, layer, projected);
        if (input.Cells is not null)
            projected = projected.index_select(1, input.Cells); // [S, B·T, (Q+2K)·D]
        var heads = projected.view(projected.shape[0] * input.Rows, input.Length, queryHeads + 2 * keyHeads, size); // [S·B, T, Q+2K, D]
        var turned = weights.Operations.Rotate(heads, (int)(queryHeads + keyHeads), pass.Rotation); // [S·B, T, Q+K, D]
        var queries = turned.narrow(2, 0, queryHeads).transpose(1, 2); // [S·B, Q, T, D]
        var keys = turned.narrow(2, queryHeads, keyHeads).transpose(1, 2); // [S·B, K, T, D]
        var values = heads.narrow(2, queryHeads + keyHeads, keyHeads).transpose(1, 2); // [S·B, K, T, D]
        if (pass.Cache is not null)
            (keys, values) = pass.Cache.Append(index, keys, values); // [B, K, all tokens so far, D]
        if (keyHeads != queryHeads)
            (keys, values) = (keys.repeat_interleave(queryHeads / keyHeads, 1), values.repeat_interleave(queryHeads / keyHeads, 1));
        var seen = _config.IsWindowed(index) ? pass.Window : null;
        var attended = nn.functional.scaled_dot_product_attention( // [S·B, Q, T, D]
            queries, keys, values, attn_mask: seen, is_casual: seen is null && input.Length > 1);
        attended = attended.transpose(1, 2).reshape(projected.shape[0], input.Rows * input.Length, queryHeads * size); // [S, B·T, Q·D]
        return input.TokenCells is null ? attended : attended.index_select(1, input.TokenCells); // [S, N, Q·D]
    }

    private static Tensor FeedForward(IWeights weights, Layer layer, Tensor x)
    {
        var gateUp = Linear(weights, x, layer.GateUp, layer.GateUpBias); // [S, N, 2F]
        return Linear(weights, weights.Operations.Gate(gateUp), layer.Down, layer.DownBias); // [S, N, H]
    }

    // Queries and keys of projected [S, N, (Q+2K)·D], in place where it has as many sets as their norms.
    private Tensor NormaliseHeads(IWeights weights, Layer layer, Tensor projected)
    {
        (var queryHeads, var keyHeads, var size) = (_config.Heads, _config.KeyHeads, _config.HeadSize);
        var queryNorm = weights.Vector(layer.QueryNorm!);
        projected = projected.InSets(queryNorm.shape[0]);
        weights.Operations.NormaliseHeads(projected, 0, queryHeads, size, queryNorm, _config.NormEpsilon);
        var keyNorm = weights.Vector(layer.KeyNorm!);
        projected = projected.InSets(keyNorm.shape[0]);
        weights.Operations.NormaliseHeads(projected, queryHeads, keyHeads, size, keyNorm, _config.NormEpsilon);
        return projected;
    }

    /// <summary>What a windowed layer sees: of the tokens up to and including a token's own, the last so many.</summary>
    private Tensor? WindowMask(long start, long length, ModelDevice device) =>
        _config.Window is { } window && start + length > window
            ? ones([length, start + length], ScalarType.Bool, device.Torch).tril(start).triu(start - window + 1)
            : null;

    private Layer AddLayer(int index)
    {
        string name = $"model.layers.{index}", attention = $"{name}.self_attn", feedForward = $"{name}.mlp";
        int queries = _config.Heads * _config.HeadSize, keys = _config.KeyHeads * _config.HeadSize;
        Parameter? Bias(bool isThere, params ParameterPart[] parts) => isThere ? Layout.AddVector(parts) : null;
        return new Layer
        {
            InputNorm = Layout.AddVector($"{name}.input_layernorm.weight", _config.Hidden),
            QueryKeyValue = Layout.AddMatrix(_config.Hidden,
                new ParameterPart($"{attention}.q_proj.weight", queries),
                new ParameterPart($"{attention}.k_proj.weight", keys),
                new ParameterPart($"{attention}.v_proj.weight", keys)),
            QueryKeyValueBias = Bias(_config.QueryKeyValueBias,
                new ParameterPart($"{attention}.q_proj.bias", queries),
                new ParameterPart($"{attention}.k_proj.bias", keys),
                new ParameterPart($"{attention}.v_proj.bias", keys)),
            QueryNorm = Bias(_config.QueryKeyNorm, new ParameterPart($"{attention}.q_norm.weight", _config.HeadSize)),
            KeyNorm = Bias(_config.QueryKeyNorm, new ParameterPart($"{attention}.k_norm.weight", _config.HeadSize)),
            Output = Layout.AddMatrix(queries, new ParameterPart($"{attention}.o_proj.weight", _config.Hidden)),
            OutputBias = Bias(_config.OutputBias, new ParameterPart($"{attention}.o_proj.bias", _config.Hidden)),
            PostNorm = Layout.AddVector($"{name}.post_attention_layernorm.weight", _config.Hidden),
            GateUp = Layout.AddMatrix(_config.Hidden,
                new ParameterPart($"{feedForward}.gate_proj.weight", _config.Intermediate),
                new ParameterPart($"{feedForward}.up_proj.weight", _config.Intermediate)),
            GateUpBias = Bias(_config.FeedForwardBias,
                new ParameterPart($"{feedForward}.gate_proj.bias", _config.Intermediate),
                new ParameterPart($"{feedForward}.up_proj.bias", _config.Intermediate)),
            Down = Layout.AddMatrix(_config.Intermediate, new ParameterPart($"{feedForward}.down_proj.weight", _config.Hidden)),
            DownBias = Bias(_config.FeedForwardBias, new ParameterPart($"{feedForward}.down_proj.bias", _config.Hidden)),
        };
    }
}
