using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

public sealed class OwnedFolderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void A_folder_has_one_owner_and_whoever_comes_second_is_told_which()
    {
        using (OwnedFolder.Take(_folder.Path, "fedkseed run"))
        {
            Assert.Null(OwnedFolder.TryTake(_folder.Path, "fedkseed run"));
            var fault = Assert.Throws<FailureException>(() => OwnedFolder.Take(_folder.Path, "fedkseed cluster"));
            Assert.Contains($"in use by fedkseed run, process {Environment.ProcessId}", fault.Message, StringComparison.Ordinal);
        }

        using var next = OwnedFolder.Take(_folder.Path, "fedkseed cluster");
        Assert.Equal([OwnedFolder.LockFile, ".owner"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void The_claim_writes_through_no_link()
    {
        var outside = _folder.Write("outside", "mine");
        var run = Directory.CreateDirectory(Path.Combine(_folder.Path, "run")).FullName;
        File.CreateSymbolicLink(Path.Combine(run, ".owner"), outside);
        OwnedFolder.Take(run, "fedkseed run").Dispose();
        File.Delete(Path.Combine(run, OwnedFolder.LockFile));
        File.CreateSymbolicLink(Path.Combine(run, OwnedFolder.LockFile), outside);

        Assert.Throws<FailureException>(() => OwnedFolder.Take(run, "fedkseed run"));
        Assert.Equal("mine", File.ReadAllText(outside));
    }

    public void Dispose() => _folder.Dispose();
}
