using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels.Architectures;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Generation;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Tokenization;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels;

/// <summary>
/// A language model of a Hugging Face folder: its architecture and its base weights w0, memory-mapped. It holds no
/// weights of its own to run with: <see cref="BaseWeights"/> and <see cref="Rebuild"/> make those. Safe for use from several threads at
/// once, with as many torch threads as the process has set (<c>torch.set_num_threads</c>).
/// </summary>
public sealed class CausalLanguageModel : IDisposable
{
    // Elements of a tensor that are read at once: a multiple of a Philox block, and little beside the weights.
    private const int MaxPiece = 1 << 20;

    // What a device takes at once.
    private const int MaxUploadBytes = 1 << 26;

    private readonly Decoder _decoder;
    private readonly AdapterLayers? _adapter;

    private CausalLanguageModel(
        Checkpoint checkpoint, Decoder decoder, AdapterLayers? adapter, ComputeType type, ModelDevice device) =>
        (Checkpoint, _decoder, _adapter, ComputeType, Device) = (checkpoint, decoder, adapter, type, device);

    /// <summary>The base model w0, an adapter's first values behind it.</summary>
    public Checkpoint Checkpoint { get; }

    /// <summary>What versions are kept and computed with in.</summary>
    public ComputeType ComputeType { get; }

    /// <summary>Where versions lie and passes run.</summary>
    public ModelDevice Device { get; }

    /// <summary>The architecture.</summary>
    public Decoder Decoder => _decoder;

    /// <summary>V, the rows of the embedding.</summary>
    public int VocabularySize => _decoder.VocabularySize;

    /// <summary>Longest sequence that the model takes, in tokens; virtual ones are not counted.</summary>
    public int MaxLength => _decoder.MaxLength - VirtualTokens;

    /// <summary>What is added to the base model; null for nothing.</summary>
    public Adapter? Adapter => _adapter?.Adapter;

    private int VirtualTokens => _adapter?.Adapter.VirtualTokens ?? 0;

    /// <summary>Reads config.json and maps the safetensors files.</summary>
    /// <param name="folder">The Hugging Face folder.</param>
    /// <param name="type">What to compute in; the checkpoint's own type does not matter.</param>
    /// <param name="device">Where to compute; null is the CPU.</param>
    /// <exception cref="InvalidDataException">
    /// A file is missing, or architecture or tensors are not supported; the message names them.
    /// </exception>
    /// <exception cref="CheckpointException">A safetensors file is missing or broken.</exception>
    /// <exception cref="NotSupportedException">The device does not compute in that type.</exception>
    public static CausalLanguageModel Load(string folder, ComputeType type = ComputeType.F32, ModelDevice? device = null)
    {
        device ??= ModelDevice.Cpu;
        _ = device.Operations(type);
        var decoder = ArchitectureCatalogue.Create(ModelConfig.Load(folder));
        var checkpoint = Checkpoint.Open(folder);
        try
        {
            decoder.Layout.Bind(checkpoint);
            return new CausalLanguageModel(checkpoint, decoder, adapter: null, type, device);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>A model with the adapter of a PEFT folder.</summary>
    /// <param name="folder">The base's Hugging Face folder.</param>
    /// <param name="adapter">The adapter's folder; null for the base alone.</param>
    /// <inheritdoc cref="Load(string, ComputeType, ModelDevice?)"/>
    public static CausalLanguageModel Load(
        string folder, string? adapter, ComputeType type = ComputeType.F32, ModelDevice? device = null)
    {
        var model = Load(folder, type, device);
        try
        {
            return adapter is null ? model : model.With(PeftFolder.Read(adapter, model.Checkpoint));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>
    /// This model with an adapter: another one, whose base weights end in the adapter's. Both read the same files, and disposing either
    /// closes them.
    /// </summary>
    /// <exception cref="InvalidDataException">The adapter is not of this model; the message names every tensor at fault.</exception>
    public CausalLanguageModel With(AdapterContent adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        var (decoder, checkpoint) = (ArchitectureCatalogue.Create(ModelConfig.Load(Checkpoint.Folder)), Checkpoint.With(adapter.Tensors));
        decoder.Layout.Bind(Checkpoint);
        AdapterLayers layers = new(decoder, adapter, checkpoint);
        decoder.Layout.Bind(checkpoint);
        CausalLanguageModel adapted = new(checkpoint, decoder, layers, ComputeType, Device);
        return adapted.MaxLength > 0 ? adapted : throw NoRoom(Checkpoint.Folder, adapter.Adapter, decoder);
    }

    /// <summary>This model with the adapter of a direction space, as it is before the first round; itself where that has none.</summary>
    /// <exception cref="FormatException">The base cannot have it.</exception>
    public CausalLanguageModel With(DirectionSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        return space.Adapter is { } adapter ? With(AdapterContent.Initial(adapter, space.PoolKey, Checkpoint)) : this;
    }

    /// <summary>The tokenizer of the model's folder.</summary>
    /// <exception cref="InvalidDataException">
    /// A file is missing or not supported, or gives ids that the embedding has no row for; the message names it.
    /// </exception>
    public Tokenizer LoadTokenizer() => LoadTokenizer(Checkpoint.Folder, _decoder);

    /// <summary>Whether a folder's configuration, weights and tokenizer are there, supported, and fit. Loads no torch.</summary>
    /// <param name="folder">The Hugging Face folder.</param>
    /// <param name="adapter">What is to be added to it.</param>
    /// <exception cref="InvalidDataException">They are not; the message names file, field or tensor.</exception>
    /// <exception cref="CheckpointException">The weights cannot be read.</exception>
    public static void Check(string folder, Adapter? adapter = null)
    {
        var decoder = ArchitectureCatalogue.Create(ModelConfig.Load(folder));
        using var checkpoint = Checkpoint.Open(folder);
        decoder.Layout.Bind(checkpoint);
        _ = LoadTokenizer(folder, decoder);
        if (adapter?.VirtualTokens >= decoder.MaxLength)
            throw NoRoom(folder, adapter, decoder);
    }

    /// <summary>
    /// What turns examples into tokens for this model: with the tokenizer of its folder and, unless a form is named, its chat
    /// template.
    /// </summary>
    /// <param name="maxLength">Longest sequence, in tokens; the model's own limit where that is less.</param>
    /// <exception cref="InvalidDataException">
    /// The tokenizer's files are missing, broken, not supported, or those of another model.
    /// </exception>
    public ExampleEncoder Encoder(PromptTemplate template, int maxLength, ChatForm? chat = null) =>
        ExampleEncoder.Load(Checkpoint.Folder, LoadTokenizer(), template, Math.Min(maxLength, MaxLength), chat);

    /// <summary>The weights of version 0.</summary>
    public ModelWeights BaseWeights() => Fill((_, _, _) => { });

    /// <summary>The weights of a version (SPEC 6). The last rounding is to the compute type, not to the checkpoint's.</summary>
    /// <param name="rebuilder">The version's accumulators.</param>
    /// <param name="degreeOfParallelism">Threads to use; the result does not depend on it.</param>
    public ModelWeights Rebuild(Rebuilder rebuilder, int degreeOfParallelism = 1)
    {
        ArgumentNullException.ThrowIfNull(rebuilder);
        return Device.Kernels is { } kernels
            ? RebuildOn(kernels, rebuilder)
            : Fill((tensor, first, weights) =>
                rebuilder.Rebuild(tensor.Ordinal!.Value, first, weights, weights, degreeOfParallelism, tensor.Columns));
    }

    /// <summary>Mean cross-entropy over all label tokens of the batch, in nats.</summary>
    public double Loss(ModelWeights weights, TokenBatch batch) =>
        Measure(weights, batch, pass => pass.CrossEntropies().mean([1], type: ScalarType.Float64))[0];

    /// <summary>Runs a batch through every set of weights and measures what comes out.</summary>
    /// <param name="weights">S sets of this model's weights.</param>
    /// <param name="batch">The examples.</param>
    /// <param name="measure">Makes one number for each set, [S] float64, of the pass. What it makes on the way is freed.</param>
    /// <returns>[S].</returns>
    /// <exception cref="ArgumentException">A sequence is too long for the model, or has ids beyond its vocabulary.</exception>
    public double[] Measure(IWeights weights, TokenBatch batch, Func<BatchPass, Tensor> measure)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentNullException.ThrowIfNull(batch);
        ArgumentNullException.ThrowIfNull(measure);
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        weights = Adapted(weights);
        var hidden = _decoder.Hidden(weights, Input(batch, weights.Device)); // [S, M, H]
        return measure(new BatchPass(_decoder, weights, batch, hidden)).cpu().data<double>().ToArray(); // [S]
    }

    /// <summary>
    /// Continues every prompt with its most likely tokens, until <paramref name="ends"/> or <paramref name="maxNewTokens"/>.
    /// Rows of different lengths run side by side without padding: those whose prompt is longer still read while others
    /// already write.
    /// </summary>
    /// <returns>The new tokens of each prompt, the end token left out.</returns>
    public int[][] Generate(
        ModelWeights weights, IReadOnlyList<int[]> prompts, int maxNewTokens, IReadOnlyCollection<int> ends,
        CancellationToken cancellation = default) =>
        Generate(weights, prompts, new GenerationSettings(maxNewTokens, ends), written: null, cancellation);

    /// <summary>Continues every prompt, with its most likely tokens or with drawn ones.</summary>
    /// <param name="written">Gets the row and the token of every new token as soon as it is there.</param>
    /// <inheritdoc cref="Generate(ModelWeights, IReadOnlyList{int[]}, int, IReadOnlyCollection{int}, CancellationToken)"/>
    public int[][] Generate(
        ModelWeights weights, IReadOnlyList<int[]> prompts, GenerationSettings settings, Action<int, int>? written = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.MaxNewTokens, 1, nameof(settings));
        if (prompts.Count == 0)
            return [];
        if (prompts.Any(prompt => prompt.Length == 0))
            throw new ArgumentException("A prompt needs at least one token.", nameof(prompts));
        var capacity = prompts.Max(prompt => prompt.Length) + settings.MaxNewTokens;
        CheckLength(capacity);
        capacity += VirtualTokens;
        foreach (var prompt in prompts)
            CheckIds(Array.ConvertAll(prompt, id => (long)id));
        using var cache = _decoder.NewCache(prompts.Count, capacity, weights.Type, weights.Device);
        GrowingTexts texts = new(prompts, settings.MaxNewTokens, settings.Ends);
        for (int first = 0, next = prompts.Min(prompt => prompt.Length); !texts.AllEnded; (first, next) = (next, next + 1))
        {
            cancellation.ThrowIfCancellationRequested();
            texts.Take(next, NextTokens(weights, texts, first, next, prompts.Count, cache, settings.Sampling), written);
        }
        return texts.New();
    }

    public void Dispose() => Checkpoint.Dispose();

    /// <summary>Logits at the label positions of the batch, [S, M, V], row-major: for tests against a reference.</summary>
    internal float[] Logits(ModelWeights weights, TokenBatch batch)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        return _decoder.Logits(Adapted(weights), Input(batch, weights.Device)).to(ScalarType.Float32).cpu().data<float>().ToArray();
    }

    /// <summary>Runs columns [first, next) of the texts through the model; gives each row's next token.</summary>
    private int[] NextTokens(
        ModelWeights weights, GrowingTexts texts, int first, int next, int rows, KeyValueCache cache, Sampling? sampling)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        var ids = texts.Columns(first, next);
        if (first == 0 && _adapter is not null)
            ids = TokenBatch.WithPrefix(ids, rows, VirtualTokens, _adapter.FirstVirtualToken);
        var length = ids.Length / rows;
        var device = weights.Device.Torch;
        var last = Consecutive.From(length - 1, rows, length, device);
        DecoderInput input = new()
        {
            Rows = rows,
            Length = length,
            Ids = tensor(ids, device: device),
            Positions = last
        };
        var logits = _decoder.Logits(Adapted(weights), input, cache); // [1, B, V]
        if (sampling is null)
            return Array.ConvertAll(logits.argmax(-1).cpu().data<long>().ToArray(), id => (int)id);
        var values = logits.to(ScalarType.Float32).cpu().data<float>().ToArray();
        return [.. Enumerable.Range(0, rows).Select(row =>
            texts.Writes(row, next) ? sampling.Draw(values.AsSpan(row * VocabularySize, VocabularySize), row, texts.Written(row)) : 0)];
    }

    private DecoderInput Input(TokenBatch batch, ModelDevice device)
    {
        CheckLength(batch.Length);
        CheckIds(batch.Ids);
        CheckIds(batch.Targets);
        return DecoderInput.Of(
            VirtualTokens == 0 ? batch : batch.WithPrefix(VirtualTokens, _adapter!.FirstVirtualToken), device);
    }

    private static InvalidDataException NoRoom(string folder, Adapter adapter, Decoder decoder) =>
        new($"{folder}: a prompt of {adapter.Tokens} tokens leaves no room: the model takes {decoder.MaxLength} in all.");

    private IWeights Adapted(IWeights weights) => _adapter is null ? weights : new AdaptedWeights(weights, _adapter);

    private void CheckIds(ReadOnlySpan<long> ids)
    {
        foreach (var id in ids)
        {
            if (id < 0 || id >= VocabularySize)
                throw new ArgumentException($"Token id {id} is outside the model's vocabulary of {VocabularySize}.", nameof(ids));
        }
    }

    private void CheckLength(int length)
    {
        if (length > MaxLength)
            throw new ArgumentException($"A sequence of {length} tokens is longer than the {MaxLength} of the model.", nameof(length));
    }

    private static Tokenizer LoadTokenizer(string folder, Decoder decoder)
    {
        var tokenizer = Tokenizer.Load(folder);
        return tokenizer.VocabularySize <= decoder.VocabularySize ? tokenizer : throw new InvalidDataException(
            $"{folder}: the tokenizer gives ids up to {tokenizer.VocabularySize - 1}, but vocab_size in {ModelConfig.FileName} and the "
                + $"embedding end at {decoder.VocabularySize - 1}.");
    }

    private delegate void Change(CheckpointTensor tensor, long firstElement, Span<float> weights);

    private ModelWeights Fill(Change change)
    {
        ModelWeights weights = new(_decoder.Layout, ComputeType, Device);
        var wide = weights.Buffer.HasFloats ? [] : new float[MaxPiece];
        foreach (var tensor in Tensors)
        {
            for (long first = 0; first < tensor.Count; first += MaxPiece)
            {
                var count = (int)Math.Min(tensor.Count - first, MaxPiece);
                var piece = weights.Buffer.HasFloats ? weights.Buffer.Floats(tensor.Offset + first, count) : wide.AsSpan(0, count);
                tensor.Source.Read(first, piece);
                change(tensor.Source, first, piece);
                if (!weights.Buffer.HasFloats)
                    weights.Buffer.Write(tensor.Offset + first, piece);
            }
        }
        return weights;
    }

    // The base goes to the device in the checkpoint's own type, a piece at a time, and is rebuilt from there into its place.
    private ModelWeights RebuildOn(IKernelDevice kernels, Rebuilder rebuilder)
    {
        ModelWeights weights = new(_decoder.Layout, ComputeType, Device);
        using DeviceRebuilder device = new(kernels, rebuilder);
        using DeviceMemory staging = new(kernels, MaxUploadBytes);
        foreach (var tensor in Tensors)
        {
            var type = tensor.Source.Type;
            for (long first = 0; first < tensor.Count; first += MaxUploadBytes / type.Size())
            {
                var bytes = (int)Math.Min((tensor.Count - first) * type.Size(), MaxUploadBytes);
                kernels.Write(staging.Address, tensor.Source.Bytes(first * type.Size(), bytes));
                device.Rebuild(
                    tensor.Ordinal, first, bytes / type.Size(), type, staging.Address, ComputeType.Stored(),
                    weights.Buffer.Address(tensor.Offset + first), tensor.Source.Columns);
            }
        }
        return weights;
    }

    private IEnumerable<PlacedTensor> Tensors =>
        _decoder.Layout.Parameters.SelectMany(parameter => _decoder.Layout.Tensors(parameter).ToArray());
}
