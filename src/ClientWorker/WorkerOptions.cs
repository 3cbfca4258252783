using System.ComponentModel.DataAnnotations;
using FedKSeed.LanguageModels.Devices;

namespace FedKSeed.ClientWorker;

/// <summary>Section "Worker": what belongs to the process, whichever federations it is a member of.</summary>
public sealed class WorkerOptions
{
    /// <summary>Assignments worked off at once; each takes a copy of the weights and of one layer's scratch.</summary>
    [Range(1, 256)]
    public int Parallelism { get; set; } = Environment.ProcessorCount;

    /// <summary>Threads of each tensor operation. For small models many assignments at once beat many threads.</summary>
    [Range(1, 256)]
    public int TorchThreads { get; set; } = 1;

    /// <summary>
    /// What models compute in: float32, bfloat16 or float16. Two workers of one federation may differ: their scalars differ as their
    /// rounding does.
    /// </summary>
    [RegularExpression("^(float32|bfloat16|float16)$", ErrorMessage = "{0} must be float32, bfloat16 or float16.")]
    public string ComputeType { get; set; } = "float32";

    /// <summary>Where models compute: auto (the first card that can be used, else the CPU), cpu, or cuda:N.</summary>
    [RegularExpression(DeviceSetting.Pattern, ErrorMessage = "{0} must be auto, cpu or cuda:N.")]
    public string Device { get; set; } = "auto";

    /// <summary>How often the process says that its clients and its evaluators are alive.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Names this process among the workers of its clients.</summary>
    [Required]
    public string Name { get; set; } = $"{Environment.MachineName}-{Environment.ProcessId}";
}

/// <summary>Section "Torch".</summary>
public sealed class TorchOptions
{
    /// <summary>Folder of libtorch, an installed PyTorch's for example; else FEDKSEED_LIBTORCH, else beside the program.</summary>
    public string? LibraryPath { get; set; }
}
