using System.Runtime.InteropServices;

namespace FedKSeed.Perturbation.Cuda;

/// <summary>A CUDA card of this machine.</summary>
/// <param name="Ordinal">n of cuda:n.</param>
/// <param name="Name">As the driver names it.</param>
/// <param name="ComputeCapability">8.6, say.</param>
/// <param name="MemoryBytes">All of its memory.</param>
public sealed record CudaCard(int Ordinal, string Name, Version ComputeCapability, long MemoryBytes);

/// <summary>The driver's own interface, libcuda: what loads and starts kernels. Linux only, as is torch for CUDA from NuGet.</summary>
public static unsafe partial class CudaDriver
{
    private const string Library = "libcuda.so.1";
    private const int MajorAttribute = 75, MinorAttribute = 76;
    private const int MaxNameLength = 256;

    /// <summary>Why there is no CUDA here; null where there is. Starts the driver.</summary>
    public static string? WhyNot()
    {
        try
        {
            Start();
            return Cards().Count == 0 ? "The NVIDIA driver is there, but sees no card." : null;
        }
        catch (CudaException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>The newest CUDA that the driver can serve.</summary>
    public static Version Version
    {
        get
        {
            Start();
            Check(cuDriverGetVersion(out var version), nameof(cuDriverGetVersion));
            return new Version(version / 1000, version % 1000 / 10);
        }
    }

    /// <exception cref="CudaException">There is no driver, or it does not start.</exception>
    public static IReadOnlyList<CudaCard> Cards()
    {
        Start();
        Check(cuDeviceGetCount(out var count), nameof(cuDeviceGetCount));
        return [.. Enumerable.Range(0, count).Select(Card)];
    }

    internal static CudaCard Card(int ordinal)
    {
        Start();
        Check(cuDeviceGet(out var device, ordinal), nameof(cuDeviceGet), $"cuda:{ordinal}");
        var name = stackalloc byte[MaxNameLength];
        Check(cuDeviceGetName(name, MaxNameLength, device), nameof(cuDeviceGetName));
        Check(cuDeviceGetAttribute(out var major, MajorAttribute, device), nameof(cuDeviceGetAttribute));
        Check(cuDeviceGetAttribute(out var minor, MinorAttribute, device), nameof(cuDeviceGetAttribute));
        Check(cuDeviceTotalMem_v2(out var bytes, device), nameof(cuDeviceTotalMem_v2));
        return new CudaCard(ordinal, Marshal.PtrToStringUTF8((nint)name)!, new Version(major, minor), (long)bytes);
    }

    internal static void Start()
    {
        try
        {
            Check(cuInit(0), nameof(cuInit));
        }
        catch (DllNotFoundException exception)
        {
            throw new CudaException($"There is no NVIDIA driver: {Library} was not found.", exception);
        }
    }

    /// <exception cref="CudaException">The call failed; the message says what the driver says.</exception>
    internal static void Check(int result, string function, string? subject = null)
    {
        if (result == 0)
            return;
        var text = cuGetErrorString(result, out var address) == 0 ? Marshal.PtrToStringUTF8(address)! : "unknown error";
        throw new CudaException($"{function}{(subject is null ? "" : $" ({subject})")} failed: {text} ({result}).");
    }

    [LibraryImport(Library)]
    private static partial int cuInit(uint flags);

    [LibraryImport(Library)]
    private static partial int cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    private static partial int cuGetErrorString(int error, out nint text);

    [LibraryImport(Library)]
    private static partial int cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    internal static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    private static partial int cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    private static partial int cuDeviceGetAttribute(out int value, int attribute, int device);

    [LibraryImport(Library)]
    private static partial int cuDeviceTotalMem_v2(out nuint bytes, int device);

    [LibraryImport(Library)]
    internal static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library)]
    internal static partial int cuDevicePrimaryCtxRelease_v2(int device);

    [LibraryImport(Library)]
    internal static partial int cuCtxGetCurrent(out nint context);

    [LibraryImport(Library)]
    internal static partial int cuCtxPushCurrent_v2(nint context);

    [LibraryImport(Library)]
    internal static partial int cuCtxPopCurrent_v2(out nint context);

    [LibraryImport(Library)]
    internal static partial int cuModuleLoadData(out nint module, byte* image);

    [LibraryImport(Library)]
    internal static partial int cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library)]
    internal static partial int cuLaunchKernel(
        nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, nint stream,
        void** parameters, void** extra);

    [LibraryImport(Library)]
    internal static partial int cuMemAlloc_v2(out nint address, nuint bytes);

    [LibraryImport(Library)]
    internal static partial int cuMemFree_v2(nint address);

    [LibraryImport(Library)]
    internal static partial int cuMemGetInfo_v2(out nuint free, out nuint total);

    [LibraryImport(Library)]
    internal static partial int cuMemcpyHtoD_v2(nint target, byte* source, nuint bytes);

    [LibraryImport(Library)]
    internal static partial int cuMemcpyDtoH_v2(byte* target, nint source, nuint bytes);

    [LibraryImport(Library)]
    internal static partial int cuCtxSynchronize();
}
