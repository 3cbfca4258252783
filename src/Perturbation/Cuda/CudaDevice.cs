using System.Collections.Concurrent;

namespace FedKSeed.Perturbation.Cuda;

/// <summary>
/// A card, with kernels.cu, and what others bring, compiled for it. It works in the card's primary context, which is the one that torch
/// uses, and on the default stream, which is torch's current one, too: TorchSharp has no way to choose another. So addresses of torch's
/// tensors can be handed to kernels, and launches keep their order with torch's. Safe for use from several threads.
/// </summary>
public sealed unsafe class CudaDevice : IKernelDevice
{
    private const int FirstWithBinaryMma = 80, LastWithBinaryMma = 99;
    private const nint DefaultStream = 0;

    private readonly int _device;
    private readonly nint _context;
    private readonly nint _module;
    private readonly ConcurrentDictionary<string, nint> _functions = new(StringComparer.Ordinal);
    private int _isDisposed;

    /// <param name="ordinal">n of cuda:n.</param>
    /// <param name="more">Sources that are compiled behind kernels.cu.</param>
    /// <param name="libraryFolders">Where NVRTC may be, before the places where <see cref="Nvrtc.Find"/> looks anyway.</param>
    /// <exception cref="CudaException">There is no driver, no such card or no NVRTC, or the kernels do not compile or load.</exception>
    public CudaDevice(int ordinal, IReadOnlyList<KernelSource> more, params IReadOnlyList<string> libraryFolders)
    {
        Card = CudaDriver.Card(ordinal);
        var image = KernelImage.For(Nvrtc.Find(libraryFolders), more, Capability, KernelImage.DefaultFolder);
        CudaDriver.Check(CudaDriver.cuDeviceGet(out _device, ordinal), nameof(CudaDriver.cuDeviceGet));
        CudaDriver.Check(CudaDriver.cuDevicePrimaryCtxRetain(out _context, _device), nameof(CudaDriver.cuDevicePrimaryCtxRetain), Name);
        try
        {
            _module = Load(image);
        }
        catch
        {
            _ = CudaDriver.cuDevicePrimaryCtxRelease_v2(_device);
            throw;
        }
    }

    public CudaCard Card { get; }

    public string Name => Card.Name;

    public bool HasBinaryTensorCores => Capability is >= FirstWithBinaryMma and <= LastWithBinaryMma;

    private int Capability => Card.ComputeCapability.Major * 10 + Card.ComputeCapability.Minor;

    public void Launch<TArguments>(string kernel, long blocks, in TArguments arguments) where TArguments : unmanaged
    {
        if (blocks == 0)
            return;
        var copy = arguments;
        void* parameter = &copy;
        using Current current = new(this);
        var function = _functions.GetOrAdd(kernel, Find);
        CudaDriver.Check(
            CudaDriver.cuLaunchKernel(
                function, checked((uint)blocks), 1, 1, IKernelDevice.BlockSize, 1, 1, 0, DefaultStream, &parameter, null),
            nameof(CudaDriver.cuLaunchKernel), kernel);
    }

    public nint Allocate(long bytes)
    {
        using Current current = new(this);
        CudaDriver.Check(
            CudaDriver.cuMemAlloc_v2(out var address, (nuint)Math.Max(bytes, 1)), nameof(CudaDriver.cuMemAlloc_v2),
            $"{bytes} bytes on {Name}");
        return address;
    }

    public void Free(nint address)
    {
        using Current current = new(this);
        CudaDriver.Check(CudaDriver.cuMemFree_v2(address), nameof(CudaDriver.cuMemFree_v2));
    }

    public void Write(nint address, ReadOnlySpan<byte> bytes)
    {
        using Current current = new(this);
        fixed (byte* first = bytes)
            CudaDriver.Check(CudaDriver.cuMemcpyHtoD_v2(address, first, (nuint)bytes.Length), nameof(CudaDriver.cuMemcpyHtoD_v2));
    }

    public void Read(nint address, Span<byte> bytes)
    {
        using Current current = new(this);
        fixed (byte* first = bytes)
            CudaDriver.Check(CudaDriver.cuMemcpyDtoH_v2(first, address, (nuint)bytes.Length), nameof(CudaDriver.cuMemcpyDtoH_v2));
    }

    /// <summary>Waits until all that was launched is done: for taking times.</summary>
    public void Synchronise()
    {
        using Current current = new(this);
        CudaDriver.Check(CudaDriver.cuCtxSynchronize(), nameof(CudaDriver.cuCtxSynchronize));
    }

    /// <summary>Bytes of the card's memory that are taken, by whatever program; of this one, what torch keeps for later, too.</summary>
    public long MemoryTaken()
    {
        using Current current = new(this);
        CudaDriver.Check(CudaDriver.cuMemGetInfo_v2(out var free, out var total), nameof(CudaDriver.cuMemGetInfo_v2));
        return (long)(total - free);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0)
            return;
        using (new Current(this))
            _ = CudaDriver.cuModuleUnload(_module);
        _ = CudaDriver.cuDevicePrimaryCtxRelease_v2(_device);
    }

    private nint Load(byte[] image)
    {
        using Current current = new(this);
        fixed (byte* first = image)
        {
            CudaDriver.Check(CudaDriver.cuModuleLoadData(out var module, first), nameof(CudaDriver.cuModuleLoadData), Name);
            return module;
        }
    }

    private nint Find(string kernel)
    {
        CudaDriver.Check(CudaDriver.cuModuleGetFunction(out var function, _module, kernel), nameof(CudaDriver.cuModuleGetFunction), kernel);
        return function;
    }

    /// <summary>The card's context on this thread, and afterwards what was there before.</summary>
    private readonly ref struct Current
    {
        private readonly bool _isPushed;

        public Current(CudaDevice device)
        {
            CudaDriver.Check(CudaDriver.cuCtxGetCurrent(out var current), nameof(CudaDriver.cuCtxGetCurrent));
            if (current == device._context)
                return;
            CudaDriver.Check(CudaDriver.cuCtxPushCurrent_v2(device._context), nameof(CudaDriver.cuCtxPushCurrent_v2), device.Name);
            _isPushed = true;
        }

        public void Dispose()
        {
            if (_isPushed)
                _ = CudaDriver.cuCtxPopCurrent_v2(out _);
        }
    }
}
