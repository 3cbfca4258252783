using FedKSeed.Tests;

namespace FedKSeed.Checkpoints.Tests;

public sealed class RealPathTests : IDisposable
{
    private readonly CheckpointFolder _folder = new();

    [Fact]
    public void Every_link_of_a_path_is_followed()
    {
        Directory.CreateDirectory(_folder.File("real/inner"));
        Directory.CreateSymbolicLink(_folder.File("link"), "real");
        Directory.CreateSymbolicLink(_folder.File("second"), _folder.File("link"));

        Assert.Equal(RealPath.Of(_folder.File("real/inner/none")), RealPath.Of(_folder.File("second/inner/none/")));
        Assert.True(RealPath.IsIn(_folder.File("second/inner"), _folder.File("real")));
        Assert.False(RealPath.IsIn(_folder.File("real"), _folder.File("real/inner")));
    }

    [Fact]
    public void A_circle_of_links_ends()
    {
        File.CreateSymbolicLink(_folder.File("a"), "b");
        File.CreateSymbolicLink(_folder.File("b"), "a");

        Assert.Throws<IOException>(() => RealPath.Of(_folder.File("a")));
    }

    public void Dispose() => _folder.Dispose();
}
