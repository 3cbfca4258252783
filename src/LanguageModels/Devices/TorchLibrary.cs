using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using TorchSharp;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>libtorch cannot be loaded; the message says what to mend.</summary>
public sealed class TorchLibraryException(string message, Exception? innerException = null) : IOException(message, innerException);

/// <summary>
/// Which libtorch this process uses: the one beside the program, or, in a build that carries none (<c>-p:Torch=none</c>), that of an
/// installed PyTorch, with CUDA or without. Once for a process, before anything of torch is used. Linux only.
/// </summary>
public static partial class TorchLibrary
{
    /// <summary>The setting that names the folder, and the environment variable that does where the setting is absent.</summary>
    public const string Setting = "Torch:LibraryPath", Variable = "FEDKSEED_LIBTORCH";

    // What TorchSharp's native half was compiled against; an older libtorch lacks functions, or has others under their names.
    private static readonly Version Oldest = new(2, 10);

    // Each before those that need it: a library is not sought again once one of its name is there.
    private static readonly string[] Required = ["libc10.so", Main, "libtorch.so"];
    private static readonly string[] Ordered = ["libc10.so", Main, "libc10_cuda.so", "libtorch_cuda.so", "libtorch.so"];
    private const string Main = "libtorch_cpu.so", Native = "libLibTorchSharp.so";
    private const int ResolveNow = 2; // RTLD_NOW: what is missing is said at once, not where it is first called

    private static readonly Lock Gate = new();

    /// <summary>The lib folder in use; null: libtorch is the one beside the program.</summary>
    public static string? Folder { get; private set; }

    /// <summary>Where NVRTC may lie beside the usual places.</summary>
    public static IReadOnlyList<string> Folders => Folder is null ? [] : [Folder];

    /// <summary>Of the libtorch in use, as far as it says so.</summary>
    public static string Version => Folder is null ? torch.__version__ : VersionOf(Folder) ?? "of unknown version";

    /// <summary>Takes libtorch from a folder; without one, from where <see cref="Variable"/> says; else leaves it to TorchSharp.</summary>
    /// <param name="folder">The lib folder of PyTorch: …/site-packages/torch/lib.</param>
    /// <exception cref="TorchLibraryException">
    /// It is no such folder, or its libtorch does not fit; or another one is in use already; or there is none and the build carries none.
    /// </exception>
    public static void Use(string? folder = null)
    {
        var chosen = string.IsNullOrEmpty(folder) ? Environment.GetEnvironmentVariable(Variable) : folder;
        if (string.IsNullOrEmpty(chosen))
        {
            if (OperatingSystem.IsLinux() && Folder is null && BesideProgram(Main) is null)
                throw new TorchLibraryException(
                    $"This build carries no libtorch: set {Variable}, or {Setting}, to the lib folder of an installed PyTorch.");
            return;
        }
        chosen = Path.GetFullPath(chosen);
        lock (Gate)
        {
            if (Folder == chosen)
                return;
            if (Folder is not null)
                throw new TorchLibraryException(
                    $"This process uses libtorch of '{Folder}' already and cannot use that of '{chosen}', too.");
            Check(chosen);
            RefuseSecondCopy(chosen);
            Load(chosen);
            Folder = chosen;
        }
    }

    private static void Check(string folder)
    {
        if (!OperatingSystem.IsLinux())
            throw new TorchLibraryException($"{Setting}: an installed PyTorch can be used on Linux only.");
        if (!Directory.Exists(folder))
            throw new TorchLibraryException($"There is no folder '{folder}', which {Setting} or {Variable} names.");
        string[] missing = [.. Required.Where(name => !File.Exists(Path.Combine(folder, name)))];
        if (missing.Length > 0)
            throw new TorchLibraryException(
                $"'{folder}' is not the lib folder of PyTorch: {string.Join(", ", missing)} missing. "
                    + "It is the one that this prints: python3 -c \"import torch; print(torch.__path__[0] + '/lib')\"");
        if (VersionOf(folder) is { } text && System.Version.TryParse(Numbers().Match(text).Value, out var version) && version < Oldest)
            throw new TorchLibraryException($"'{folder}' holds libtorch {text}, which is too old: {Oldest} is needed, or a later one.");
    }

    private static void Load(string folder)
    {
        var own = OwnLibrary();
        try
        {
            foreach (var path in Ordered.Select(name => Path.Combine(folder, name)).Where(File.Exists))
                NativeLibrary.Load(path);
        }
        catch (DllNotFoundException exception)
        {
            throw new TorchLibraryException($"'{folder}': libtorch does not load: {exception.Message}", exception);
        }
        if (Open(own, ResolveNow) == 0)
            throw new TorchLibraryException(
                $"'{folder}' holds libtorch {VersionOf(folder) ?? "of unknown version"}, which does not fit TorchSharp "
                    + $"{typeof(torch).Assembly.GetName().Version?.ToString(3)}: {Marshal.PtrToStringUTF8(OpenError())}. "
                    + $"{Oldest} or a later one is needed.");
    }

    private static string OwnLibrary() =>
        BesideProgram(Native)
            ?? throw new TorchLibraryException($"{Native} is missing beside the program: it comes with the package TorchSharp.");

    private static string? BesideProgram(string name) =>
        new[] {
            Path.Combine(AppContext.BaseDirectory, name), Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native", name) }
            .FirstOrDefault(File.Exists);

    /// <summary>
    /// TorchSharp loads the libtorch beside the program by its path, whatever is there already, as soon as its first type is used; a second
    /// copy registers every operator twice, which aborts the process.
    /// </summary>
    private static void RefuseSecondCopy(string folder)
    {
        var chosen = Path.Combine(folder, Main);
        if (BesideProgram(Main) is { } own && own != (File.ResolveLinkTarget(chosen, returnFinalTarget: true)?.FullName ?? chosen))
            throw new TorchLibraryException(
                $"This build carries a libtorch of its own ({own}) and cannot use that of '{folder}': build with -p:Torch=none, which "
                    + "carries none.");
    }

    /// <summary>As pip's package has it beside the folder, or the archive from pytorch.org.</summary>
    private static string? VersionOf(string folder)
    {
        foreach (var name in new[] { "version.py", "build-version" })
        {
            var path = Path.Combine(folder, "..", name);
            if (File.Exists(path) && VersionText().Match(File.ReadAllText(path)) is { Success: true } match)
                return match.Value;
        }
        return null;
    }

    [GeneratedRegex(@"\d+\.\d+\.\d+[\w.+]*")]
    private static partial Regex VersionText();

    [GeneratedRegex(@"^\d+\.\d+")]
    private static partial Regex Numbers();

    [LibraryImport("libc", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "dlerror")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint OpenError();
}
