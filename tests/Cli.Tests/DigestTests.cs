using FedKSeed.Checkpoints;
using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

public sealed class DigestTests
{
    private static readonly string Model = Path.Combine(Vectors.Folder, "..", "..", "samples", "model");

    [Fact]
    public async Task It_prints_what_the_services_must_be_told()
    {
        using var checkpoint = Checkpoint.Open(Model);

        var run = await CommandRun.Of("digest", Model);

        Assert.Equal((0, checkpoint.Digest(TestContext.Current.CancellationToken) + Environment.NewLine), (run.ExitCode, run.Output));
    }

    [Fact]
    public async Task A_folder_that_is_none_is_named()
    {
        var run = await CommandRun.Of("digest", "/nowhere");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("MODEL: there is no folder '/nowhere'", run.Errors, StringComparison.Ordinal);
    }
}
