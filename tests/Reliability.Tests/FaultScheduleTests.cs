namespace FedKSeed.Reliability.Tests;

public sealed class FaultScheduleTests
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1);

    [Fact]
    public void The_same_seed_gives_the_same_faults_and_another_seed_others()
    {
        Assert.Equal(FaultSchedule.Draw(7, 100, Pace), FaultSchedule.Draw(7, 100, Pace));
        Assert.NotEqual(FaultSchedule.Draw(7, 100, Pace), FaultSchedule.Draw(8, 100, Pace));
    }

    [Theory]
    [InlineData(40)]
    [InlineData(1000)]
    public void It_kills_as_often_as_it_was_told_to_and_has_every_kind_of_fault(int kills)
    {
        var schedule = FaultSchedule.Draw(1, kills, Pace);

        Assert.Equal(kills, schedule.Count(fault => fault.IsKill));
        Assert.Equal(Enum.GetValues<FaultKind>(), schedule.Select(fault => fault.Kind).Distinct().Order());
    }
}
