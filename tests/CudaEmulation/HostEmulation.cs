using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using FedKSeed.Perturbation.Cuda;

namespace FedKSeed.Tests;

/// <summary>
/// A CUDA card in software: the kernels' own sources, compiled for the CPU by g++ with lanes.h in front, launched with the same arguments
/// through the same interface. Its memory is the process's own.
/// </summary>
internal sealed unsafe class HostEmulation : IKernelDevice
{
    private const string Compiler = "g++";

    private static readonly ConcurrentDictionary<string, Lazy<nint>> Libraries = new(StringComparer.Ordinal);

    private readonly nint _library;
    private readonly delegate* unmanaged<nint, uint, uint, void*, void> _launch;

    private HostEmulation(string program)
    {
        _library = Libraries.GetOrAdd(program, _ => new Lazy<nint>(() => NativeLibrary.Load(Compile(program)))).Value;
        _launch = (delegate* unmanaged<nint, uint, uint, void*, void>)NativeLibrary.GetExport(_library, "launch_grid");
    }

    /// <summary>Skips the test where there is no compiler.</summary>
    /// <param name="more">Sources that are compiled behind kernels.cu.</param>
    public static HostEmulation Create(params IReadOnlyList<KernelSource> more)
    {
        Assert.SkipUnless(
            (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
                .Any(folder => File.Exists(Path.Combine(folder, Compiler))),
            $"{Compiler} is not installed; it compiles the GPU kernels for the CPU.");
        return new HostEmulation(KernelSource.Program(more));
    }

    public string Name => "emulation";

    public bool HasBinaryTensorCores => true;

    /// <summary>Launches so far.</summary>
    public int Launches { get; private set; }

    public void Launch<TArguments>(string kernel, long blocks, in TArguments arguments) where TArguments : unmanaged
    {
        if (blocks == 0)
            return;
        Launches++;
        var copy = arguments;
        _launch(NativeLibrary.GetExport(_library, kernel), checked((uint)blocks), IKernelDevice.BlockSize, &copy);
    }

    public nint Allocate(long bytes) => (nint)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, 1), 256);

    public void Free(nint address) => NativeMemory.AlignedFree((void*)address);

    public void Write(nint address, ReadOnlySpan<byte> bytes) => bytes.CopyTo(new Span<byte>((void*)address, bytes.Length));

    public void Read(nint address, Span<byte> bytes) => new Span<byte>((void*)address, bytes.Length).CopyTo(bytes);

    public void Dispose()
    {
    }

    /// <summary>Compiles once per state of the sources, for all test projects.</summary>
    private static string Compile(string program, [CallerFilePath] string here = "")
    {
        var lanes = File.ReadAllText(Path.Combine(Path.GetDirectoryName(here)!, "lanes.h"));
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(lanes + program)))[..16];
        var library = Path.Combine(Path.GetTempPath(), $"fedkseed-kernels-{hash}.so");
        if (File.Exists(library))
            return library;
        var folder = Directory.CreateTempSubdirectory("fedkseed-kernels-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "kernels.cpp"), "#include \"lanes.h\"\n" + program);
            File.WriteAllText(Path.Combine(folder.FullName, "lanes.h"), lanes);
            var partial = Path.Combine(folder.FullName, "kernels.so");
            // No contraction: as NVRTC is told. The kernels read vectors through pointers to their elements.
            Run(folder.FullName,
                "-std=c++17", "-O2", "-ffp-contract=off", "-fno-strict-aliasing", "-march=native", "-fPIC", "-shared", "-pthread",
                "-Wall", "-Werror", "-Wno-unknown-pragmas", "kernels.cpp", "-o", partial);
            File.Move(partial, library, overwrite: true);
            return library;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Run(string folder, params string[] arguments)
    {
        ProcessStartInfo start = new(Compiler, arguments) { WorkingDirectory = folder, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{Compiler} {string.Join(' ', arguments)}: {errors}");
    }
}
