using System.Security.Cryptography;
using System.Text;

namespace FedKSeed.Perturbation.Cuda;

/// <summary>
/// A device's kernels, compiled for one architecture. Compiling takes seconds, so images are kept on disk, under a name that is the hash of
/// all they depend on; each begins with the SHA-256 of the rest, and one that does not match is compiled again.
/// </summary>
public static class KernelImage
{
    // What the compiler calls all of it; its messages name the sources.
    private const string ProgramName = "program.cu";

    // Contracting a·b + c to a fused multiply-add would change bits; the kernels say where they want one.
    private static readonly string[] Options = ["--std=c++17", "--fmad=false", "--prec-sqrt=true", "--prec-div=true", "--ftz=false"];

    /// <summary>$XDG_CACHE_HOME/fedkseed/kernels, ~/.cache where that is not set.</summary>
    public static string DefaultFolder
    {
        get
        {
            var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            if (string.IsNullOrEmpty(cache))
                cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(cache, "fedkseed", "kernels");
        }
    }

    /// <param name="nvrtc">The compiler.</param>
    /// <param name="more">What is compiled behind kernels.cu.</param>
    /// <param name="computeCapability">Ten times the major number plus the minor one.</param>
    /// <param name="folder">Where images are kept; made if it is absent. One that cannot be written to only costs time.</param>
    /// <exception cref="CudaException">The source does not compile.</exception>
    public static byte[] For(Nvrtc nvrtc, IReadOnlyList<KernelSource> more, int computeCapability, string folder)
    {
        var program = KernelSource.Program(more);
        (var architecture, var isBinary) = nvrtc.Target(computeCapability);
        string[] options = [$"--gpu-architecture={architecture}", .. Options];
        var path = Path.Combine(folder, $"{Key(nvrtc.Version, options, program)}.{(isBinary ? "cubin" : "ptx")}");
        if (TryRead(path) is { } kept)
            return kept;
        (var image, _) = nvrtc.Compile(program, ProgramName, isBinary, options);
        TryWrite(path, image);
        return image;
    }

    /// <summary>Compiles without the cache: what the compiler says is of interest, too.</summary>
    public static (byte[] Image, string Log) Compile(Nvrtc nvrtc, IReadOnlyList<KernelSource> more, int computeCapability)
    {
        (var architecture, var isBinary) = nvrtc.Target(computeCapability);
        return nvrtc.Compile(
            KernelSource.Program(more), ProgramName, isBinary, [$"--gpu-architecture={architecture}", .. Options]);
    }

    private static string Key(Version compiler, string[] options, string program) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"NVRTC {compiler}\n{string.Join('\n', options)}\n{program}")));

    private static byte[]? TryRead(string path)
    {
        try
        {
            var bytes = File.ReadAllBytes(path);
            return bytes.Length > SHA256.HashSizeInBytes
                && SHA256.HashData(bytes.AsSpan(SHA256.HashSizeInBytes)).AsSpan().SequenceEqual(bytes.AsSpan(0, SHA256.HashSizeInBytes))
                ? bytes[SHA256.HashSizeInBytes..]
                : null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static void TryWrite(string path, byte[] image)
    {
        // Several processes may compile at once: each writes a file of its own and renames it.
        var partial = $"{path}.{Environment.ProcessId}.{Environment.CurrentManagedThreadId}";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllBytes(partial, [.. SHA256.HashData(image), .. image]);
            File.Move(partial, path, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            File.Delete(partial);
        }
    }
}
