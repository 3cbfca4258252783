using System.Text;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Tests;

/// <summary>
/// build/TorchNative.targets makes the native library load on older systems: docs/decisions/0002-torch-on-older-libstdcxx.md.
/// </summary>
public class TorchNativeTests
{
    [Fact]
    public void The_copy_in_the_output_asks_for_no_recent_libstdcxx()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux has libstdc++'s symbol versions.");
        var copies = Directory.GetFiles(AppContext.BaseDirectory, "libLibTorchSharp.so", SearchOption.AllDirectories);
        Assert.NotEmpty(copies);
        // A whole string is what the loader reads; the static symbol table, which nothing reads, still says name@GLIBCXX_3.4.32.
        Assert.All(
            copies, copy => Assert.Equal(-1, File.ReadAllBytes(copy).AsSpan().IndexOf(Encoding.ASCII.GetBytes("\0GLIBCXX_3.4.32\0"))));
    }

    [Fact]
    public void Torch_loads_and_computes()
    {
        using var x = tensor(new float[] { 1, 2, 3, 4 }, [2, 2]);
        using var product = x.mm(x);
        Assert.Equal([7f, 10f, 15f, 22f], product.data<float>().ToArray());
    }
}
