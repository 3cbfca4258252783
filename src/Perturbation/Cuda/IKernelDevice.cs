namespace FedKSeed.Perturbation.Cuda;

/// <summary>
/// What runs kernels.cu, and the sources that were brought with it (<see cref="KernelSource"/>): a CUDA card (<see cref="CudaDevice"/>), or
/// the tests' emulation of one on the CPU. Addresses are of the device's memory, whoever allocated it: torch's tensors are as good as
/// <see cref="Allocate"/>. Launches and copies happen one after the other, as if on one stream.
/// </summary>
public interface IKernelDevice : IDisposable
{
    /// <summary>Threads of a block, in every launch.</summary>
    const int BlockSize = 256;

    /// <summary>For people: the card's name, say.</summary>
    string Name { get; }

    /// <summary>Whether the kernels named mma are there.</summary>
    bool HasBinaryTensorCores { get; }

    /// <summary>Starts <paramref name="blocks"/> blocks of <see cref="BlockSize"/> threads; none is nothing to do.</summary>
    /// <param name="kernel">A KERNEL of kernels.cu, or of a source that was brought.</param>
    /// <param name="arguments">Its one argument, copied before the call returns.</param>
    /// <exception cref="CudaException">There is no such kernel, or the device refuses.</exception>
    void Launch<TArguments>(string kernel, long blocks, in TArguments arguments) where TArguments : unmanaged;

    /// <returns>An address that <see cref="Free"/> takes back.</returns>
    nint Allocate(long bytes);

    void Free(nint address);

    /// <summary>Copies to the device, after all that was launched before.</summary>
    void Write(nint address, ReadOnlySpan<byte> bytes);

    /// <summary>Copies from the device, after all that was launched before.</summary>
    void Read(nint address, Span<byte> bytes);
}

/// <summary>A piece of a device's memory, freed on disposal.</summary>
public sealed class DeviceMemory : IDisposable
{
    private readonly IKernelDevice _device;

    public DeviceMemory(IKernelDevice device, long bytes)
    {
        ArgumentNullException.ThrowIfNull(device);
        (_device, Address) = (device, device.Allocate(bytes));
    }

    /// <summary>Memory that holds a copy of these bytes.</summary>
    public DeviceMemory(IKernelDevice device, ReadOnlySpan<byte> content)
        : this(device, content.Length) => device.Write(Address, content);

    public nint Address { get; private set; }

    public void Dispose()
    {
        if (Address != 0)
            _device.Free(Address);
        Address = 0;
    }
}
