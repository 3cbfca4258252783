using System.Text;
using FedKSeed.Perturbation.Cuda;

namespace FedKSeed.Perturbation.Tests.Cuda;

/// <summary>NVRTC needs no card: where it is installed, kernels.cu must compile for all cards that matter.</summary>
public class CompilerTests
{
    [Theory]
    [InlineData(75)]
    [InlineData(80)]
    [InlineData(86)]
    [InlineData(89)]
    [InlineData(90)]
    public void The_kernels_compile_without_a_word(int computeCapability)
    {
        var nvrtc = Compiler();
        (var image, var log) = KernelImage.Compile(nvrtc, [], computeCapability);
        Assert.Equal("", log);
        var symbols = Encoding.Latin1.GetString(image);
        Assert.StartsWith("\u007fELF", symbols, StringComparison.Ordinal);
        string[] kernels =
        [
            "rebuild_rademacher", "rebuild_gaussian", "advance_rademacher_f16", "advance_signs_gaussian_bf16_bf16",
            "rows_rademacher_f32_bf16", "rebuild_frozen", "rebuild_rank", "factor_words", "factors_bf16", "advance_signs_rank_f16_f16",
        ];
        foreach (var kernel in kernels)
            Assert.Contains($".text.{kernel}\0", symbols, StringComparison.Ordinal);
        foreach (var kernel in (string[])["rebuild_rademacher_mma3", "rebuild_rank_mma3"])
            Assert.Equal(computeCapability >= 80, symbols.Contains($".text.{kernel}\0", StringComparison.Ordinal));
    }

    [Fact]
    public void An_image_is_compiled_once_and_again_where_the_kept_one_is_broken()
    {
        var nvrtc = Compiler();
        var folder = Directory.CreateTempSubdirectory("fedkseed-");
        try
        {
            var image = KernelImage.For(nvrtc, [], 90, folder.FullName);
            var kept = Assert.Single(folder.EnumerateFiles()).FullName;
            var bytes = File.ReadAllBytes(kept);
            var written = File.GetLastWriteTimeUtc(kept);
            Assert.Equal(image, KernelImage.For(nvrtc, [], 90, folder.FullName));
            Assert.Equal(written, File.GetLastWriteTimeUtc(kept));
            bytes[^1] ^= 1;
            File.WriteAllBytes(kept, bytes);
            Assert.Equal(image, KernelImage.For(nvrtc, [], 90, folder.FullName));
            bytes[^1] ^= 1;
            Assert.Equal(bytes, File.ReadAllBytes(kept));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_source_that_does_not_compile_is_shown_with_the_compilers_words()
    {
        var exception = Assert.Throws<CudaException>(() => Compiler().Compile("int kernel( {", "broken.cu", isBinary: false, []));
        Assert.Contains("broken.cu", exception.Message, StringComparison.Ordinal);
        Assert.Contains("expected", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_card_newer_than_the_compiler_gets_the_newest_architecture_before_it()
    {
        (var architecture, var isBinary) = Compiler().Target(999);
        Assert.False(isBinary);
        Assert.StartsWith("compute_", architecture, StringComparison.Ordinal);
        Assert.Throws<CudaException>(() => Compiler().Target(1));
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
