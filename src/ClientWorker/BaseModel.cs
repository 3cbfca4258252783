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
        Encoder = Model.Encoder(prompt.Template, worker.MaximumTokens, prompt.Chat) with { WhenTooLong = worker.LongExamples };
        _degreeOfParallelism = Math.Max(worker.Parallelism, worker.TorchThreads);
    }

    public CausalLanguageModel Model { get; }

    public ExampleEncoder Encoder { get; }

    /// <summary>SHA-256 of the base checkpoint's tensors.</summary>
    public string Digest { get; }

    /// <summary>All weights of a version of this model, in the compute type.</summary>
    /// <exception cref="FormatException">The version trains other tensors than its groups name in this base.</exception>
    public ModelWeights Rebuild(ModelVersion version)
    {
        ArgumentNullException.ThrowIfNull(version);
        version.Directions.RequireResolved(Model.Checkpoint);
        return Model.Rebuild(new Rebuilder(version.Directions, version.Values(), version.Shift), _degreeOfParallelism);
    }

    /// <summary>Where it computes: cpu, or cuda:N.</summary>
    public string Device => _device.Torch.ToString();

    public void Dispose()
    {
        Model.Dispose();
        _device.Dispose();
    }
}
