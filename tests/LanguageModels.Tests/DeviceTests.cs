using FedKSeed.LanguageModels.Devices;
using FedKSeed.Perturbation.Cuda;
using FedKSeed.Tests;

namespace FedKSeed.LanguageModels.Tests;

public class DeviceTests
{
    [Theory]
    [InlineData("auto")]
    [InlineData("cpu")]
    [InlineData("cuda")]
    [InlineData("cuda:0")]
    [InlineData("cuda:11")]
    public void A_device_is_said_as_it_is_written(string text) => Assert.Equal(text, DeviceSetting.Parse(text).ToString());

    [Theory]
    [InlineData("gpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("CPU")]
    [InlineData("")]
    public void What_is_no_device_is_refused(string text) => Assert.Throws<FormatException>(() => DeviceSetting.Parse(text));

    [Fact]
    public void The_processor_is_always_there() => Assert.Same(ModelDevice.Cpu, DeviceSetting.Parse("cpu").Open());

    [Fact]
    public void Without_a_card_auto_is_the_processor_and_a_card_is_an_error_that_says_why()
    {
        Assert.SkipWhen(CudaDriver.WhyNot() is null, "This machine has a card.");
        Assert.Same(ModelDevice.Cpu, DeviceSetting.Auto.Open());
        Assert.StartsWith(
            "cuda:1: ", Assert.Throws<CudaException>(() => DeviceSetting.Parse("cuda:1").Open()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_is_no_PyTorch_is_refused_with_what_it_lacks()
    {
        using var folder = new TemporaryFolder();
        var lib = Directory.CreateDirectory(Path.Combine(folder.Path, "torch", "lib")).FullName;
        Assert.Contains("no folder '/nowhere'", Refusal("/nowhere"), StringComparison.Ordinal);
        File.WriteAllBytes(Path.Combine(lib, "libc10.so"), []);
        Assert.Contains("libtorch_cpu.so, libtorch.so missing", Refusal(lib), StringComparison.Ordinal);

        File.WriteAllBytes(Path.Combine(lib, "libtorch_cpu.so"), []);
        File.WriteAllBytes(Path.Combine(lib, "libtorch.so"), []);
        Assert.Contains("build with -p:Torch=none", Refusal(lib), StringComparison.Ordinal); // two in one process would abort it
        File.WriteAllText(Path.Combine(folder.Path, "torch", "version.py"), "__version__ = '2.9.1+cu128'\n");
        Assert.Contains("libtorch 2.9.1+cu128, which is too old: 2.10 is needed", Refusal(lib), StringComparison.Ordinal);
        Assert.Null(TorchLibrary.Folder);

        static string Refusal(string path) => Assert.Throws<TorchLibraryException>(() => TorchLibrary.Use(path)).Message;
    }
}
