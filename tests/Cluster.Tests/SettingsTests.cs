using System.Diagnostics;

namespace FedKSeed.Cluster.Tests;

/// <summary>A service that was set up wrongly says all that is wrong, in lines that a person can act on, and ends.</summary>
public sealed class SettingsTests
{
    [Theory]
    [InlineData(
        "FedKSeed.SeedService",
        2,
        "--Federation:Directions:SeedCount=0 --Federation:Epsilon=-1 --Federation:Name=Not+One --Bus:Broker=nowhere",
        "SeedCount",
        "Epsilon",
        "Name",
        "Bus:Broker must")]
    [InlineData(
        "FedKSeed.RoundService", 2, "--RoundService:Tick=1.00:00:00 --RoundService:ClockLease=00:00:00 --Federation:Name=Not+One", "Tick",
        "ClockLease", "Federation:Name is")]
    [InlineData(
        "FedKSeed.ClientWorker", 2, "--Worker:Parallelism=0 --Worker:TorchThreads=999 --Evaluator:Limit=-1", "Parallelism", "TorchThreads",
        "ModelFolder", "Limit")]
    [InlineData("FedKSeed.SeedService", 2, "--Bus:Transport=Pigeon", "Bus:Transport", "Pigeon")]
    [InlineData("FedKSeed.ClientWorker", 1, "--Worker:ModelFolder=/nowhere", "/nowhere")]
    public async Task Every_wrong_setting_is_named_at_the_start(string program, int code, string arguments, params string[] named)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, program), arguments.Split(' '))
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = Path.GetTempPath(),
        })!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var said = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(code, process.ExitCode);
        Assert.All(named, word => Assert.Contains(word, said, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", said + await output, StringComparison.Ordinal);
        Assert.All(said.TrimEnd().Split('\n'), line => Assert.StartsWith(program + ":", line, StringComparison.Ordinal));
    }
}
