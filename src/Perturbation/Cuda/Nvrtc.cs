using System.Runtime.InteropServices;
using System.Text;

namespace FedKSeed.Perturbation.Cuda;

/// <summary>NVIDIA's run-time compiler, from wherever the machine has it: torch's folder, a CUDA toolkit, the system.</summary>
public sealed unsafe class Nvrtc
{
    private const int Success = 0;

    // Newest first: it knows the newest cards.
    private static readonly string[] Names = ["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2", "libnvrtc.so"];
    private static readonly string[] SystemFolders = ["/usr/local/cuda/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];

    private readonly nint _library;

    private Nvrtc(nint library, string path)
    {
        (_library, Path) = (library, path);
        int major, minor;
        Check(((delegate* unmanaged<int*, int*, int>)Function("nvrtcVersion"))(&major, &minor), "nvrtcVersion");
        Version = new Version(major, minor);
    }

    /// <summary>The file, or the name under which the system found it.</summary>
    public string Path { get; }

    public Version Version { get; }

    /// <summary>
    /// Looks in the given folders (torch's lib folder, say, and the nvidia packages that pip puts beside torch), the application's own, and
    /// the system's.
    /// </summary>
    /// <exception cref="CudaException">There is none; the message says where it was sought.</exception>
    public static Nvrtc Find(params IEnumerable<string> folders)
    {
        List<string> sought = [.. folders.SelectMany(WithPackages), AppContext.BaseDirectory, .. SystemFolders];
        foreach (var path in sought.SelectMany(folder => Names.Select(name => System.IO.Path.Combine(folder, name))).Where(File.Exists))
        {
            PreloadBuiltins(System.IO.Path.GetDirectoryName(path)!);
            if (NativeLibrary.TryLoad(path, out var library))
                return new Nvrtc(library, path);
        }
        foreach (var name in Names)
        {
            if (NativeLibrary.TryLoad(name, out var library))
                return new Nvrtc(library, name);
        }
        throw new CudaException(
            $"NVRTC, which compiles the GPU kernels, was not found: no {string.Join(", ", Names)} in {string.Join(", ", sought)}, "
            + "nor where the system looks. "
            + "It comes with PyTorch for CUDA, with TorchSharp-cuda-linux, and with every CUDA toolkit; name the folder that holds it.");
    }

    /// <summary>Whether this version compiles for the card itself; if not, for the newest architecture before it, as PTX.</summary>
    internal (string Architecture, bool IsBinary) Target(int computeCapability)
    {
        int count;
        Check(((delegate* unmanaged<int*, int>)Function("nvrtcGetNumSupportedArchs"))(&count), "nvrtcGetNumSupportedArchs");
        var supported = new int[count];
        fixed (int* first = supported)
            Check(((delegate* unmanaged<int*, int>)Function("nvrtcGetSupportedArchs"))(first), "nvrtcGetSupportedArchs");
        if (supported.Contains(computeCapability))
            return ($"sm_{computeCapability}", true);
        int[] before = [.. supported.Where(some => some < computeCapability)];
        return before.Length > 0
            ? ($"compute_{before.Max()}", false)
            : throw new CudaException(
                $"NVRTC {Version} ({Path}) does not compile for compute capability {computeCapability / 10}.{computeCapability % 10}.");
    }

    /// <summary>Compiles a source to a cubin, or to PTX.</summary>
    /// <returns>The image that the driver loads, and the compiler's log, empty where there was nothing to say.</returns>
    /// <exception cref="CudaException">The source does not compile; the message holds the log.</exception>
    internal (byte[] Image, string Log) Compile(string source, string name, bool isBinary, IReadOnlyList<string> options)
    {
        var program = Create(source, name);
        try
        {
            nint[] texts = [.. options.Select(Marshal.StringToCoTaskMemUTF8)];
            int result;
            fixed (nint* first = texts)
                result = ((delegate* unmanaged<nint, int, nint*, int>)Function("nvrtcCompileProgram"))(program, texts.Length, first);
            Array.ForEach(texts, Marshal.FreeCoTaskMem);
            var log = Encoding.UTF8.GetString(Output(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog")).TrimEnd('\0', '\n');
            if (result != Success)
                throw new CudaException(
                    $"NVRTC {Version} does not compile {name} with {string.Join(' ', options)}: {ErrorText(result)}\n{log}");
            return (isBinary
                ? Output(program, "nvrtcGetCUBINSize", "nvrtcGetCUBIN")
                : Output(program, "nvrtcGetPTXSize", "nvrtcGetPTX"), log);
        }
        finally
        {
            ((delegate* unmanaged<nint*, int>)Function("nvrtcDestroyProgram"))(&program);
        }
    }

    private nint Create(string source, string name)
    {
        nint program, text = Marshal.StringToCoTaskMemUTF8(source), label = Marshal.StringToCoTaskMemUTF8(name);
        var result = ((delegate* unmanaged<nint*, nint, nint, int, nint, nint, int>)Function("nvrtcCreateProgram"))(
            &program, text, label, 0, 0, 0);
        Marshal.FreeCoTaskMem(text);
        Marshal.FreeCoTaskMem(label);
        Check(result, "nvrtcCreateProgram");
        return program;
    }

    private byte[] Output(nint program, string sizeFunction, string function)
    {
        nuint size;
        Check(((delegate* unmanaged<nint, nuint*, int>)Function(sizeFunction))(program, &size), sizeFunction);
        var bytes = new byte[size];
        fixed (byte* first = bytes)
            Check(((delegate* unmanaged<nint, byte*, int>)Function(function))(program, first), function);
        return bytes;
    }

    private void Check(int result, string function)
    {
        if (result != Success)
            throw new CudaException($"NVRTC's {function} failed: {ErrorText(result)}");
    }

    private string ErrorText(int result) =>
        Marshal.PtrToStringUTF8(((delegate* unmanaged<int, nint>)Function("nvrtcGetErrorString"))(result)) ?? $"error {result}";

    private nint Function(string name) => NativeLibrary.TryGetExport(_library, name, out var address)
        ? address
        : throw new CudaException($"{Path} has no function {name}: it is older than CUDA 11.2, or no NVRTC.");

    // pip installs NVRTC in site-packages/nvidia/…/lib, torch's own libraries in site-packages/torch/lib.
    private static IEnumerable<string> WithPackages(string folder)
    {
        yield return folder;
        var packages = System.IO.Path.Combine(folder, "..", "..", "nvidia");
        if (!Directory.Exists(packages))
            yield break;
        foreach (var package in Directory.EnumerateDirectories(packages).Order(StringComparer.Ordinal))
            yield return System.IO.Path.Combine(package, "lib");
    }

    // NVRTC asks for these by name alone, which finds them only if they are loaded already or lie where the system looks.
    private static void PreloadBuiltins(string folder)
    {
        foreach (var path in Directory.EnumerateFiles(folder, "libnvrtc-builtins.so.*"))
            NativeLibrary.TryLoad(path, out _);
    }
}
