using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Perturbation.Cuda;
using Microsoft.Extensions.Options;
using TorchSharp;

namespace FedKSeed.ClientWorker;

/// <summary>A base model, loaded once for all memberships that have it. Safe to use from any thread.</summary>
public sealed class BaseModel : IDisposable
{
    /// <inheritdoc cref="CausalLanguageModel.Load(string, ComputeType, ModelDevice?)"/>
    internal BaseModel(string folder, ComputeType type, ModelDevice device)
    {
        Model = CausalLanguageModel.Load(folder, type, device);
        Digest = Model.Checkpoint.Digest();
    }

    public CausalLanguageModel Model { get; }

    /// <summary>SHA-256 of the base checkpoint's tensors.</summary>
    public string Digest { get; }

    public void Dispose() => Model.Dispose();
}

/// <summary>
/// The base models of this process, one a folder, on its device and in its compute type. Not thread-safe: they are loaded at its start.
/// </summary>
public sealed class BaseModels : IDisposable
{
    private readonly Dictionary<string, BaseModel> _byFolder = new(StringComparer.Ordinal);
    private readonly ModelDevice _device;
    private readonly ComputeType _type;

    /// <exception cref="TorchLibraryException">libtorch cannot be had from where "Torch:LibraryPath" says.</exception>
    /// <exception cref="CudaException">The card that the options name cannot be used.</exception>
    public BaseModels(IOptions<WorkerOptions> worker, IOptions<TorchOptions> torchOptions)
    {
        ArgumentNullException.ThrowIfNull(worker);
        ArgumentNullException.ThrowIfNull(torchOptions);
        _device = DeviceSetting.Parse(worker.Value.Device).Open(torchOptions.Value.LibraryPath);
        _type = ComputeTypes.Parse(worker.Value.ComputeType);
        torch.set_num_threads(worker.Value.TorchThreads);
    }

    /// <summary>How many were loaded.</summary>
    public int Count => _byFolder.Count;

    /// <summary>Where they compute: cpu, or cuda:N.</summary>
    public string Device => _device.Torch.ToString();

    /// <inheritdoc cref="CausalLanguageModel.Load(string, ComputeType, ModelDevice?)"/>
    public BaseModel Of(string folder)
    {
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (!_byFolder.TryGetValue(path, out var model))
            _byFolder[path] = model = new BaseModel(folder, _type, _device);
        return model;
    }

    public void Dispose()
    {
        foreach (var model in _byFolder.Values)
            model.Dispose();
        _device.Dispose();
    }
}
