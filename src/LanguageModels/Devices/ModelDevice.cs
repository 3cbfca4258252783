using FedKSeed.Perturbation.Cuda;
using TorchSharp;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>
/// Where a model's weights lie and its passes run: the CPU, or a card with our kernels beside torch. One for all models of a process on
/// that card. Safe for use from several threads; dispose it after all that was made on it.
/// </summary>
public sealed class ModelDevice : IDisposable
{
    private readonly Dictionary<ComputeType, IOperations> _operations = [];

    /// <param name="torch">What torch calls the device.</param>
    /// <param name="kernels">What runs our kernels on its memory; null for the CPU, whose kernels are vector instructions.</param>
    internal ModelDevice(Device torch, IKernelDevice? kernels)
    {
        (Torch, Kernels) = (torch, kernels);
        foreach (var type in Enum.GetValues<ComputeType>())
        {
            if (kernels is null)
                _operations[type] = new TorchOperations();
            else if (type != ComputeType.F64)
                _operations[type] = new KernelOperations(kernels, type);
        }
    }

    public static ModelDevice Cpu { get; } = new(CPU, kernels: null);

    /// <summary>Opens a torch device: cpu, or cuda with its index (0 where it has none).</summary>
    /// <param name="device">Which one.</param>
    /// <param name="libraryFolders">Where NVRTC may lie: torch's lib folder, say.</param>
    /// <exception cref="CudaException">torch has no CUDA, or driver, card or NVRTC are missing; the message says which.</exception>
    /// <exception cref="ArgumentException">The device is of another kind.</exception>
    public static ModelDevice Open(Device device, params IReadOnlyList<string> libraryFolders)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.type == DeviceType.CPU)
            return Cpu;
        if (device.type != DeviceType.CUDA)
            throw new ArgumentException($"Models run on cpu and cuda, not on {device.type}.", nameof(device));
        if (CudaDriver.WhyNot() is { } reason)
            throw new CudaException(reason);
        if (!cuda.is_available())
            throw new CudaException("This libtorch was built without CUDA, or does not fit the driver.");
        Device indexed = new(DeviceType.CUDA, Math.Max(device.index, 0));
        InitializeDeviceType(DeviceType.CUDA);
        using (empty(1, device: indexed)) // torch's context is there before ours joins it
            return new ModelDevice(indexed, new CudaDevice(indexed.index, [DeviceActivations.Source], libraryFolders));
    }

    /// <summary>For people: "cpu", or the card's name.</summary>
    public string Name => Kernels?.Name ?? "cpu";

    /// <summary>What torch calls it.</summary>
    public Device Torch { get; }

    /// <summary>What runs our kernels on its memory; null for the CPU, whose kernels are vector instructions.</summary>
    public IKernelDevice? Kernels { get; }

    /// <summary>What runs between the products of a pass in that type.</summary>
    /// <exception cref="NotSupportedException">There are no kernels for the type.</exception>
    public IOperations Operations(ComputeType type) => _operations.TryGetValue(type, out var operations)
        ? operations
        : throw new NotSupportedException($"{Name} does not compute in {type.Name()}.");

    /// <summary>The CPU stays.</summary>
    public void Dispose() => Kernels?.Dispose();
}
