namespace FedKSeed.Reliability.Tests;

public sealed class KillsTests
{
    /// <summary>
    /// Every part is killed, and every other fault strikes at least once; Campaign checks every invariant after each, and at the end.
    /// </summary>
    [Fact]
    public async Task Forty_kills_over_all_parts_lose_no_accepted_report_and_apply_none_twice()
    {
        var cancel = TestContext.Current.CancellationToken;
        var folder = Directory.CreateTempSubdirectory("fedkseed-kills-").FullName;
        var said = new List<string>();
        var campaign = new Campaign(Samples.Folder, folder, TimeProvider.System, line => said.Add(line));

        var report = await campaign.RunAsync(FaultSchedule.Draw(seed: 1, kills: 40, TimeSpan.FromSeconds(0.5)), seed: 1, cancel);

        TestContext.Current.TestOutputHelper?.WriteLine(string.Join(Environment.NewLine, said));
        Assert.Equal(40, report.Kills);
        Assert.Equal(Enum.GetValues<FaultKind>(), report.Faults.Select(fault => fault.Kind).Distinct().Order());
        Assert.True(report.Accepted >= 40, $"{report.Accepted} reports were accepted.");
        Assert.Equal(0, report.Lost);
        Assert.Equal(0, report.Doubled);
        Assert.Equal(report.Accepted, report.Written);
        Assert.True(report.Copies > 0, "nothing was delivered late");
        Directory.Delete(folder, recursive: true);
    }
}
