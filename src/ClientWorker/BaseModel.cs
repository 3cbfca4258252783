using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LanguageModels.Weights;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Perturbation.Directions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using TorchSharp;

namespace FedKSeed.ClientWorker;

/// <summary>The base model of this process, with its tokenizer and prompt; loaded once. Safe to use from any thread.</summary>
public sealed class BaseModel : IDisposable
{
    private readonly int _degreeOfParallelism;
    private readonly ModelDevice _device;
    private readonly Lock _lock = new();
    private (DirectionSpace Space, CausalLanguageModel Model)? _adapted;

    /// <exception cref="TorchLibraryException">libtorch cannot be had from where "Torch:LibraryPath" says.</exception>
    /// <exception cref="CudaException">The card that the options name cannot be used.</exception>
    public BaseModel(IOptions<WorkerOptions> options, IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        ArgumentNullException.ThrowIfNull(options);
        var worker = options.Value;
        _device = DeviceSetting.Parse(worker.Device).Open(configuration[TorchLibrary.Setting]);
        torch.set_num_threads(worker.TorchThreads);
        Model = CausalLanguageModel.Load(worker.ModelFolder, ComputeTypes.Parse(worker.ComputeType), _device);
        Digest = Model.Checkpoint.Digest();
        var prompt = ModelPrompt.Of(worker.ModelFolder, worker.PromptFile, worker.ChatForm);
        var longest = Math.Min(worker.MaximumTokens, Model.MaxLength - VirtualTokens(configuration));
        Encoder = Model.Encoder(prompt.Template, longest, prompt.Chat) with { WhenTooLong = worker.LongExamples };
        _degreeOfParallelism = Math.Max(worker.Parallelism, worker.TorchThreads);
    }

    public CausalLanguageModel Model { get; }

    public ExampleEncoder Encoder { get; }

    /// <summary>SHA-256 of the base checkpoint's tensors.</summary>
    public string Digest { get; }

    /// <summary>The model that a space's versions are versions of: this one, or with the adapter that the space adds.</summary>
    /// <exception cref="FormatException">
    /// The space trains other tensors than its groups name in this base, or has another adapter than its settings make for it.
    /// </exception>
    /// <exception cref="InvalidDataException">The model has no room for the adapter.</exception>
    public CausalLanguageModel For(DirectionSpace space)
    {
        ArgumentNullException.ThrowIfNull(space);
        lock (_lock)
        {
            if (_adapted is { } known && known.Space == space)
                return known.Model;
            space.RequireResolved(Model.Checkpoint);
            var model = Model.With(space);
            _adapted = (space, model);
            return model;
        }
    }

    /// <summary>All weights of a version of this model, in the compute type; of an adapter, too.</summary>
    /// <inheritdoc cref="For"/>
    public ModelWeights Rebuild(ModelVersion version)
    {
        ArgumentNullException.ThrowIfNull(version);
        return For(version.Directions).Rebuild(
            new Rebuilder(version.Directions, version.Values(), version.Shift), _degreeOfParallelism);
    }

    /// <summary>Virtual tokens of the federation's prompt, where this process is told of it.</summary>
    private static int VirtualTokens(IConfiguration configuration)
    {
        var adapter = configuration.GetSection("Federation:Directions:Adapter");
        return Enum.TryParse<AdapterKind>(adapter["Kind"], ignoreCase: true, out var kind) && kind == AdapterKind.Prompt
            ? adapter.GetValue("Tokens", new Adapter { Kind = kind }.Tokens)
            : 0;
    }

    /// <summary>Where it computes: cpu, or cuda:N.</summary>
    public string Device => _device.Torch.ToString();

    public void Dispose()
    {
        Model.Dispose();
        _device.Dispose();
    }
}
