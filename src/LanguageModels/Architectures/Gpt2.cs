using System.Text.RegularExpressions;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Generation;
using FedKSeed.LanguageModels.Weights;
using TorchSharp;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Architectures;

/// <summary>config.json of a GPT-2 model.</summary>
internal sealed record Gpt2Config
{
    private const int MaxLayers = 1024, MaxHeads = 1024;

    public required int Vocabulary { get; init; }
    public required int Hidden { get; init; }
    public required int Intermediate { get; init; }
    public required int Layers { get; init; }
    public required int Heads { get; init; }
    public required int MaxLength { get; init; }
    public required double NormEpsilon { get; init; }
    public required bool TiedEmbeddings { get; init; }

    /// <exception cref="InvalidDataException">Fields are missing or not supported; the message names all of them.</exception>
    public static Gpt2Config Read(ModelConfig config)
    {
        config.Choice("activation_function", "gelu_new", "gelu_new", "gelu_pytorch_tanh"); // two names of one function
        if (!config.Flag("scale_attn_weights", absent: true))
            config.Refuse("scale_attn_weights", "true");
        foreach (var field in (string[])["scale_attn_by_inverse_layer_idx", "add_cross_attention"])
        {
            if (config.Flag(field, absent: false))
                config.Refuse(field, "false");
        }
        int hidden = config.WholeNumber("n_embd"), heads = config.WholeNumber("n_head", most: MaxHeads);
        if (hidden % heads != 0)
            config.Refuse("n_embd", $"a multiple of n_head, {heads}");
        Gpt2Config read = new()
        {
            Vocabulary = config.WholeNumber("vocab_size"),
            Hidden = hidden,
            Intermediate = config.WholeNumber("n_inner", absent: 4 * hidden),
            Layers = config.WholeNumber("n_layer", most: MaxLayers),
            Heads = heads,
            MaxLength = config.WholeNumber("n_positions"),
            NormEpsilon = config.Number("layer_norm_epsilon", absent: 1e-5),
            TiedEmbeddings = config.Flag("tie_word_embeddings", absent: true),
        };
        config.ThrowIfFaulty();
        return read;
    }
}

/// <summary>
/// GPT-2 (Radford et al. 2019): pre-norm blocks with biases, learned positions, and layers that store their weights [in, out].
/// Letters in the shapes: S weight sets, N tokens in B texts of at most T, M positions where logits are wanted, H hidden,
/// A heads, D head size, F feed-forward, V vocabulary.
/// </summary>
internal sealed partial class Gpt2 : Decoder
{
    /// <summary>A projection as it is stored: weight [in, out] and bias.</summary>
    private readonly record struct Projection(Parameter Weight, Parameter Bias);

    private readonly record struct Norm(Parameter Weight, Parameter Bias);

    private sealed record Layer(Norm InputNorm, Projection QueryKeyValue, Projection Output, Norm PostNorm, Projection Up, Projection Down);

    private readonly Gpt2Config _config;
    private readonly Parameter _embedding;
    private readonly Parameter _positions;
    private readonly Layer[] _layers;
    private readonly Norm _finalNorm;

    public Gpt2(Gpt2Config config)
    {
        _config = config;
        _embedding = Layout.AddMatrix(config.Hidden, new ParameterPart("transformer.wte.weight", config.Vocabulary));
        _positions = Layout.AddMatrix(config.Hidden, new ParameterPart("transformer.wpe.weight", config.MaxLength));
        _layers = [.. Enumerable.Range(0, config.Layers).Select(AddLayer)];
        _finalNorm = AddNorm("transformer.ln_f");
        Head = config.TiedEmbeddings ? _embedding : Layout.AddMatrix(config.Hidden, new ParameterPart("lm_head.weight", config.Vocabulary));
    }

    // OpenAI's own checkpoints hold the causal mask, as floats.
    public override WeightLayout Layout { get; } = new(prefix: "transformer.", ignored: MaskBuffer());
    public override Parameter Head { get; }
    public override IReadOnlyList<Parameter> LookedUp => [_embedding, _positions];
    public override int VocabularySize => _config.Vocabulary;
    public override int MaxLength => _config.MaxLength;

    public override KeyValueCache NewCache(int rows, int capacity, ComputeType type, ModelDevice device) =>
        new(_config.Layers, rows, _config.Heads, capacity, _config.Hidden / _config.Heads, type, device);

    public override Tensor Hidden(IWeights weights, DecoderInput input, KeyValueCache? cache = null)
    {
        var x = weights.Rows(_embedding, input.Ids) // [S, N, H]
            .PlusSets(weights.Rows(_positions, Positions(input, cache?.Length ?? 0))); // [S, N, H]
        for (var i = 0; i < _layers.Length; i++)
            x = Block(weights, i, x, input, cache); // [S, N, H], at last [S, M, H]
        cache?.Advance((int)input.Length);
        return LayerNorm(weights, x, _finalNorm); // [S, M, H]
    }

    // [N]: the place in its text that each token's cell has.
    private static Tensor Positions(DecoderInput input, long start)
    {
        var cells = input.TokenCells ?? Consecutive.From(0, input.Rows * input.Length, device: input.Ids.device); // [N]
        using Scalar length = input.Length, first = start; // held until the calls are over
        return cells.remainder(length).add_(first, HeldNumbers.One);
    }

    private Tensor Block(IWeights weights, int index, Tensor x, DecoderInput input, KeyValueCache? cache)
    {
        // The activations of one block at a time are in memory, not those of all of them.
        using var scope = NewDisposeScope();
        var layer = _layers[index];
        var attended = Attention(weights, layer, LayerNorm(weights, x, layer.InputNorm), index, input, cache); // [S, N, H]
        if (index == _layers.Length - 1)
        {
            // No token looks at another from here on: go on with those whose logits are wanted.
            x = x.index_select(1, input.Positions); // [S, M, H]
            attended = attended.index_select(1, input.Positions); // [S, M, H]
        }
        x = Project(weights, attended, layer.Output).Add(x); // [S, N, H]
        var inner = Project(weights, LayerNorm(weights, x, layer.PostNorm), layer.Up) // [S, N, F]
            .gelu_(TorchSharp.Modules.GELU.Approximate.tanh);
        return Project(weights, inner, layer.Down).Add(x).MoveToOuterDisposeScope(); // [S, N, H]
    }

    private Tensor Attention(IWeights weights, Layer layer, Tensor x, int index, DecoderInput input, KeyValueCache? cache)
    {
        (long heads, long size) = (_config.Heads, _config.Hidden / _config.Heads);
        var projected = Project(weights, x, layer.QueryKeyValue); // [S, N, 3H]
        if (input.Cells is not null)
            projected = projected.index_select(1, input.Cells); // [S, B·T, 3H]
        var split = projected.view(projected.shape[0] * input.Rows, input.Length, 3 * heads, size).transpose(1, 2); // [S·B, 3A, T, D]
        // Each [S·B, A, T, D].
        Tensor queries = split.narrow(1, 0, heads), keys = split.narrow(1, heads, heads), values = split.narrow(1, 2 * heads, heads);
        if (cache is not null)
            (keys, values) = cache.Append(index, keys, values); // [B, A, all tokens so far, D]
        var attended = nn.functional.scaled_dot_product_attention(queries, keys, values, is_casual: input.Length > 1) // [S·B, A, T, D]
            .transpose(1, 2).reshape(projected.shape[0], input.Rows * input.Length, heads * size); // [S, B·T, H]
        return input.TokenCells is null ? attended : attended.index_select(1, input.TokenCells); // [S, N, H]
    }

    private static Tensor Project(IWeights weights, Tensor x, Projection projection) =>
        weights.MultiplyTransposed(x, projection.Weight).PlusSets(weights.Vector(projection.Bias)); // [S, N, out]

    private Tensor LayerNorm(IWeights weights, Tensor x, Norm norm) =>
        nn.functional.layer_norm(x, [_config.Hidden], eps: _config.NormEpsilon)
            .TimesSets(weights.Vector(norm.Weight)).PlusSets(weights.Vector(norm.Bias));

    private Layer AddLayer(int index)
    {
        var name = $"transformer.h.{index}";
        return new Layer(
            AddNorm($"{name}.ln_1"),
            AddProjection($"{name}.attn.c_attn", _config.Hidden, 3 * _config.Hidden),
            AddProjection($"{name}.attn.c_proj", _config.Hidden, _config.Hidden),
            AddNorm($"{name}.ln_2"),
            AddProjection($"{name}.mlp.c_fc", _config.Hidden, _config.Intermediate),
            AddProjection($"{name}.mlp.c_proj", _config.Intermediate, _config.Hidden));
    }

    private Norm AddNorm(string name) =>
        new(Layout.AddVector($"{name}.weight", _config.Hidden), Layout.AddVector($"{name}.bias", _config.Hidden));

    private Projection AddProjection(string name, int inputs, int outputs) =>
        new(Layout.AddMatrix(outputs, new ParameterPart($"{name}.weight", inputs)), Layout.AddVector($"{name}.bias", outputs));

    [GeneratedRegex(@"^(transformer\.)?h\.\d+\.attn\.(masked_)?bias$")]
    private static partial Regex MaskBuffer();
}
