namespace FedKSeed.LanguageModels.Architectures;

/// <summary>
/// config.json of LLaMA and of the models that differ from it in options only. Rotary positions in today's form
/// (<c>rope_parameters</c>) or the older (<c>rope_theta</c>, <c>rope_scaling</c>).
/// </summary>
internal sealed record LlamaConfig
{
    // The rotary table is made for at most so many positions; more context than that is not for this program.
    private const int MaxPositions = 8192;
    private const int MaxLayers = 1024, MaxHeads = 1024, MaxHeadSize = 1024;

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
    public required RotaryConfig Rotary { get; init; }

    /// <summary>Whether the projections to queries, keys and values have a bias.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether attention's output projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Whether the feed-forward's projections have biases.</summary>
    public bool FeedForwardBias { get; init; }

    /// <summary>Whether each head's query and key are normalised before they are turned.</summary>
    public bool QueryKeyNorm { get; init; }

    /// <summary>How many tokens a token sees in a windowed layer, itself included; null where no layer is windowed.</summary>
    public int? Window { get; init; }

    /// <summary>Whether a layer is windowed, where there is a <see cref="Window"/>.</summary>
    public Func<int, bool> IsWindowed { get; init; } = _ => true;

    /// <summary>LLaMA 1 to 3.</summary>
    /// <exception cref="InvalidDataException">Fields are missing or not supported; the message names all of them.</exception>
    public static LlamaConfig OfLlama(ModelConfig config)
    {
        var attentionBias = config.Flag("attention_bias", absent: false);
        return Checked(config, Read(config) with
        {
            QueryKeyValueBias = attentionBias,
            OutputBias = attentionBias,
            FeedForwardBias = config.Flag("mlp_bias", absent: false),
        });
    }

    /// <summary>Mistral 7B (Jiang et al. 2023): every layer is windowed, unless the window is null, as in version 0.2.</summary>
    public static LlamaConfig OfMistral(ModelConfig config) => Checked(config, Read(config) with
    {
        Window = config.IsNull("sliding_window") ? null : config.WholeNumber("sliding_window", absent: 4096),
    });

    /// <summary>Qwen 2 and 2.5: biases for queries, keys and values.</summary>
    public static LlamaConfig OfQwen2(ModelConfig config) =>
        Checked(config, WithWindow(config, Read(config) with { QueryKeyValueBias = true }));

    /// <summary>Qwen 3: normalised queries and keys, heads of any size.</summary>
    public static LlamaConfig OfQwen3(ModelConfig config)
    {
        var attentionBias = config.Flag("attention_bias", absent: false);
        return Checked(config, WithWindow(config, Read(config, headSize: 128) with
        {
            QueryKeyValueBias = attentionBias,
            OutputBias = attentionBias,
            QueryKeyNorm = true,
        }));
    }

    /// <param name="config">The file.</param>
    /// <param name="headSize">Where head_dim is absent; null: hidden size over heads.</param>
    private static LlamaConfig Read(ModelConfig config, int? headSize = null)
    {
        config.Choice("hidden_act", "silu", "silu");
        var hidden = config.WholeNumber("hidden_size");
        var heads = config.WholeNumber("num_attention_heads", most: MaxHeads);
        var keyHeads = config.WholeNumber("num_key_value_heads", absent: heads, most: MaxHeads);
        if (heads % keyHeads != 0)
            config.Refuse("num_key_value_heads", $"a divisor of num_attention_heads, {heads}");
        if (!config.Has("head_dim") && headSize is null && hidden % heads != 0)
            config.Refuse("hidden_size", $"a multiple of num_attention_heads, {heads}, where head_dim is absent");
        var size = config.WholeNumber("head_dim", absent: headSize ?? Math.Max(hidden / heads, 1), most: MaxHeadSize);
        if (size % 2 != 0)
            config.Refuse("head_dim", "an even number");
        var rotary = ReadRotary(config, size);
        return new LlamaConfig
        {
            Vocabulary = config.WholeNumber("vocab_size"),
            Hidden = hidden,
            Intermediate = config.WholeNumber("intermediate_size"),
            Layers = config.WholeNumber("num_hidden_layers", most: MaxLayers),
            Heads = heads,
            KeyHeads = keyHeads,
            HeadSize = size,
            MaxLength = (int)Math.Min(rotary.TrainedLength * rotary.Factor, MaxPositions),
            NormEpsilon = config.Number("rms_norm_eps", absent: 1e-6),
            TiedEmbeddings = config.Flag("tie_word_embeddings", absent: false),
            Rotary = rotary,
        };
    }

    private static RotaryConfig ReadRotary(ModelConfig config, int headSize)
    {
        var rope = config.Section("rope_parameters") ?? config.Section("rope_scaling");
        RotaryConfig plain = new()
        {
            HeadSize = headSize,
            Theta = rope is not null && rope.Has("rope_theta") ? rope.Number("rope_theta") : config.Number("rope_theta", absent: 10_000),
            TrainedLength = config.WholeNumber("max_position_embeddings", absent: 2048, most: int.MaxValue),
        };
        if (rope is null)
            return plain;
        if (rope.Number("partial_rotary_factor", absent: 1) != 1)
            rope.Refuse("partial_rotary_factor", "1");
        return rope.Choice(rope.Has("rope_type") ? "rope_type" : "type", "default", "default", "linear", "dynamic", "llama3") switch
        {
            "linear" => plain with { Factor = rope.Number("factor") },
            "dynamic" => plain with { Factor = rope.Number("factor"), IsDynamic = true },
            "llama3" => plain with
            {
                Stretch = new Stretch(
                    (float)rope.Number("factor"), (float)rope.Number("low_freq_factor"), (float)rope.Number("high_freq_factor"),
                    (float)rope.Number("original_max_position_embeddings")),
            },
            _ => plain,
        };
    }

    // Qwen's windows: off unless asked for; then in the layers that are listed, or in those from some layer on.
    private static LlamaConfig WithWindow(ModelConfig config, LlamaConfig read)
    {
        if (!config.Flag("use_sliding_window", absent: false) || config.IsNull("sliding_window"))
            return read;
        const string windowed = "sliding_attention";
        var types = config.Choices("layer_types", read.Layers, "full_attention", windowed);
        var firstWindowed = config.WholeNumber("max_window_layers", absent: 28);
        return read with
        {
            Window = config.WholeNumber("sliding_window", absent: 4096),
            IsWindowed = layer => types is null ? layer >= firstWindowed : types[layer] == windowed,
        };
    }

    private static LlamaConfig Checked(ModelConfig config, LlamaConfig read)
    {
        config.ThrowIfFaulty();
        return read;
    }
}
