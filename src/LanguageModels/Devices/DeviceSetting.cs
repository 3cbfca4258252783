using System.Globalization;
using System.Text.RegularExpressions;
using FedKSeed.Perturbation.Cuda;
using TorchSharp;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>Where to compute, as people say it: auto, cpu, cuda or cuda:N.</summary>
public readonly partial record struct DeviceSetting
{
    /// <summary>What <see cref="TryParse"/> takes, as a regular expression.</summary>
    public const string Pattern = "^(auto|cpu|cuda(:[0-9]{1,2})?)$";

    /// <summary>The forms, for people: N stands for a number.</summary>
    public static IReadOnlyList<string> Forms { get; } = ["auto", "cpu", "cuda", "cuda:N"];

    private readonly string? _text;

    private DeviceSetting(string text) => _text = text;

    /// <summary>The first card where driver and libtorch have CUDA, else the CPU: what a default setting is, too.</summary>
    public static DeviceSetting Auto { get; } = new("auto");

    public static bool TryParse(string text, out DeviceSetting setting)
    {
        setting = new(text);
        return Form().IsMatch(text);
    }

    /// <exception cref="FormatException">It is none of the forms.</exception>
    public static DeviceSetting Parse(string text) =>
        TryParse(text, out var setting)
            ? setting
            : throw new FormatException($"'{text}' is not a device: it must be {string.Join(" or ", Forms)}.");

    public override string ToString() => _text ?? "auto";

    /// <summary>Loads libtorch from where it is to come from and opens the device.</summary>
    /// <param name="libraryPath">Lib folder of an installed PyTorch: see <see cref="TorchLibrary.Use"/>.</param>
    /// <exception cref="TorchLibraryException">libtorch cannot be had.</exception>
    /// <exception cref="CudaException">The card cannot be used; the message says what is missing.</exception>
    public ModelDevice Open(string? libraryPath = null)
    {
        TorchLibrary.Use(libraryPath);
        var text = ToString();
        if (text == "cpu" || (text == "auto" && (CudaDriver.WhyNot() is not null || !torch.cuda.is_available())))
            return ModelDevice.Cpu;
        var ordinal = text.StartsWith("cuda:", StringComparison.Ordinal)
            ? int.Parse(text["cuda:".Length..], CultureInfo.InvariantCulture)
            : 0;
        if (CudaDriver.WhyNot() is { } reason)
            throw new CudaException($"{text}: {reason}");
        if (ordinal >= CudaDriver.Cards().Count)
            throw new CudaException($"{text}: there are only {CudaDriver.Cards().Count} cards, cuda:0 being the first.");
        if (!torch.cuda.is_available())
            throw new CudaException(
                $"{text}: libtorch {TorchLibrary.Version} has no CUDA, or none that fits the driver. Build with -p:Torch=cuda; "
                    + $"or with -p:Torch=none, and name the lib folder of a PyTorch that has it: "
                    + $"{TorchLibrary.Variable}, or the setting {TorchLibrary.Setting}.");
        return ModelDevice.Open(new torch.Device(DeviceType.CUDA, ordinal), [.. TorchLibrary.Folders]);
    }

    [GeneratedRegex(Pattern)]
    private static partial Regex Form();
}
