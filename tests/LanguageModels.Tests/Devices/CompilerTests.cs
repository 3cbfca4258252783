using System.Text;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Perturbation.Cuda;

namespace FedKSeed.LanguageModels.Tests.Devices;

/// <summary>NVRTC needs no card: where it is installed, a model's kernels must compile for all cards that matter.</summary>
public class CompilerTests
{
    [Theory]
    [InlineData(75)]
    [InlineData(80)]
    [InlineData(90)]
    public void The_activations_compile_behind_the_kernels_without_a_word(int computeCapability)
    {
        (var image, var log) = KernelImage.Compile(Compiler(), [DeviceActivations.Source], computeCapability);
        Assert.Equal("", log);
        var symbols = Encoding.Latin1.GetString(image);
        foreach (var kernel in (string[])["normalise_bf16", "rotate_f16", "gate_f32", "take_logits_bf16", "rebuild_rademacher"])
            Assert.Contains($".text.{kernel}\0", symbols, StringComparison.Ordinal);
    }

    private static Nvrtc Compiler()
    {
        try
        {
            return Nvrtc.Find((Environment.GetEnvironmentVariable("FEDKSEED_LIBTORCH") ?? "").Split(
                Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries));
        }
        catch (CudaException exception)
        {
            Assert.Skip(exception.Message);
            throw;
        }
    }
}
