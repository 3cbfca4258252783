using System.Runtime.InteropServices;
using FedKSeed.Bench;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Observation;
using FedKSeed.Perturbation.Cpu;
using FedKSeed.Perturbation.Cuda;
using TorchSharp;

namespace FedKSeed.Cli.Doctor;

/// <summary>What there is to compute with: processor, memory, disk, libtorch, cards.</summary>
internal static class ComputingFindings
{
    private const long LittleMemory = 1_000_000_000, LittleDisk = 1_000_000_000, NoDisk = 50_000_000;
    private const string TorchForCuda =
        $"Build with -p:Torch=cuda; or with -p:Torch=none, and set {TorchLibrary.Variable} to the lib folder of a PyTorch with CUDA.";

    /// <param name="runs">Where results of runs go.</param>
    /// <param name="torchPath">Lib folder of a PyTorch; null for what the environment says, or ours.</param>
    public static IEnumerable<Finding> All(string runs, string? torchPath)
    {
        yield return Finding.Ok(".NET", $"{RuntimeInformation.FrameworkDescription} on {RuntimeInformation.OSDescription}");
        yield return Kernels(KernelPaths.Best);
        yield return Memory(Machine.AvailableMemory());
        yield return Disk(runs);
        var torchFinding = Torch(torchPath, out var hasCuda);
        yield return torchFinding;
        var cards = Cards();
        foreach (var card in cards)
            yield return card;
        yield return RuntimeCompiler();
        if (cards.All(card => card.State == FindingState.Ok) && !hasCuda)
            yield return new Finding(
                "torch for CUDA", FindingState.Warning, "There is a card, and libtorch has no CUDA: models run on the CPU.", TorchForCuda);
    }

    public static Finding Kernels(KernelPath path) => path == KernelPath.Scalar
        ? new Finding(
            "processor", FindingState.Warning,
            $"{Machine.Processor()}; neither AVX2 nor AVX-512: kernels run element by element, hundreds of times slower.",
            "Use a processor with AVX2, or a virtual machine that shows it.")
        : Finding.Ok("processor", $"{Machine.Processor()}; kernels run on {(path == KernelPath.Avx512 ? "AVX-512" : "AVX2")}");

    public static Finding Memory(long available) => available < LittleMemory
        ? new Finding(
            "memory", FindingState.Warning, $"{Quantity.Bytes(available)} available",
            "Leave a process at least 4 bytes a weight for the model and as much for each trainer: docs/MODELS.md.")
        : Finding.Ok("memory", $"{Quantity.Bytes(available)} available");

    /// <summary>The disk of the nearest folder that is there.</summary>
    public static Finding Disk(string folder)
    {
        var path = Path.GetFullPath(folder);
        while (!Directory.Exists(path) && Path.GetDirectoryName(path) is { } parent)
            path = parent;
        var free = new DriveInfo(path).AvailableFreeSpace;
        var found = $"{Quantity.Bytes(free)} free for {Path.GetFullPath(folder)}";
        return free < LittleDisk
            ? new Finding(
                "disk", free < NoDisk ? FindingState.Missing : FindingState.Warning, found,
                "Make room, or name another folder with --output: a run writes the tuned model there.", free < NoDisk)
            : Finding.Ok("disk", found);
    }

    /// <summary>Loads it and computes something.</summary>
    public static Finding Torch(string? path, out bool hasCuda)
    {
        hasCuda = false;
        try
        {
            TorchLibrary.Use(path);
            using var one = torch.ones(1);
            using var sum = one.add(1);
            hasCuda = torch.cuda.is_available();
            return Finding.Ok(
                "libtorch",
                $"{TorchLibrary.Version}, {(hasCuda ? "with CUDA" : "CPU")}, "
                    + $"{(TorchLibrary.Folder is { } folder ? $"of {folder}" : "beside the program")}");
        }
        catch (Exception fault) when (fault is TorchLibraryException or TypeInitializationException or DllNotFoundException
            or NotSupportedException or ExternalException)
        {
            var own = TorchLibrary.Variable;
            return new Finding(
                "libtorch", FindingState.Missing, (fault.InnerException ?? fault).Message.Split('\n')[0],
                $"Without {own} and --torch the one that the build fetched is used; build again (dotnet build src/Cli) if "
                    + "that one is missing.", IsNeeded: true);
        }
    }

    /// <summary>One line a card, or one that says why there is none.</summary>
    public static IReadOnlyList<Finding> Cards()
    {
        if (CudaDriver.WhyNot() is { } reason)
            return [new Finding(
                "cards", FindingState.Missing, reason,
                "Everything runs on the CPU. For a card: install NVIDIA's driver, then see that nvidia-smi lists it.")];
        return [.. CudaDriver.Cards().Select(card => Finding.Ok(
            $"cuda:{card.Ordinal}",
            $"{card.Name}, {Quantity.Bytes(card.MemoryBytes)}, compute capability {card.ComputeCapability}, driver for CUDA "
                + $"{CudaDriver.Version}"))];
    }

    private static Finding RuntimeCompiler()
    {
        try
        {
            var compiler = Nvrtc.Find(TorchLibrary.Folders);
            return Finding.Ok("NVRTC", $"{compiler.Version}, {compiler.Path}");
        }
        catch (CudaException fault)
        {
            return new Finding(
                "NVRTC", FindingState.Missing, fault.Message.Split(": no ")[0] + ".",
                $"Only a card needs it. It comes with PyTorch for CUDA ({TorchLibrary.Variable}), with -p:Torch=cuda, and with "
                    + "every CUDA toolkit.");
        }
    }
}
