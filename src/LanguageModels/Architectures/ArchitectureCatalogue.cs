namespace FedKSeed.LanguageModels.Architectures;

/// <summary>
/// Which architectures there are, by the name that config.json gives as model_type. A new one is a file beside this one and a line here,
/// or, from another assembly, a call of <see cref="Register"/>. Safe for use from several threads.
/// </summary>
public static class ArchitectureCatalogue
{
    private static readonly Lock Gate = new();

    private static readonly SortedDictionary<string, Func<ModelConfig, Decoder>> ByName = new(StringComparer.Ordinal)
    {
        ["gpt2"] = config => new Gpt2(Gpt2Config.Read(config)),
        ["llama"] = config => new Llama(LlamaConfig.OfLlama(config)),
        ["mistral"] = config => new Llama(LlamaConfig.OfMistral(config)),
        ["qwen2"] = config => new Llama(LlamaConfig.OfQwen2(config)),
        ["qwen3"] = config => new Llama(LlamaConfig.OfQwen3(config)),
    };

    /// <summary>Adds an architecture for this process; models of it can be loaded from then on.</summary>
    /// <param name="modelType">What config.json gives as model_type.</param>
    /// <param name="create">
    /// Reads the rest of config.json, refusing what it does not implement: fields through <see cref="ModelConfig"/>, then
    /// <see cref="ModelConfig.ThrowIfFaulty"/>.
    /// </param>
    /// <exception cref="ArgumentException">There is one of that name.</exception>
    public static void Register(string modelType, Func<ModelConfig, Decoder> create)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelType);
        ArgumentNullException.ThrowIfNull(create);
        lock (Gate)
        {
            if (!ByName.TryAdd(modelType, create))
                throw new ArgumentException($"There is an architecture of the name {modelType} already.", nameof(modelType));
        }
    }

    /// <exception cref="InvalidDataException">The architecture or its configuration is not supported; the message names it.</exception>
    internal static Decoder Create(ModelConfig config)
    {
        Func<ModelConfig, Decoder> create;
        lock (Gate)
        {
            var architecture = config.Choice("model_type", absent: null, [.. ByName.Keys]);
            config.ThrowIfFaulty(); // the fields of another architecture would only add to the confusion
            create = ByName[architecture];
        }
        return create(config);
    }
}
