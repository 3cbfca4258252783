namespace FedKSeed.Training.Tests;

public class BatchScheduleTests
{
    [Fact]
    public void Batches_go_through_all_examples_before_any_comes_again()
    {
        BatchSchedule schedule = new(Key: 99, Examples: 10, BatchSize: 4);
        int[] stream = [.. Enumerable.Range(0, 25).SelectMany(schedule.Indices)];
        int[][] passes = [.. stream.Chunk(10)];
        Assert.All(passes, pass => Assert.Equal(Enumerable.Range(0, 10), pass.Order()));
        Assert.NotEqual(passes[0], passes[1]);
    }

    [Fact]
    public void A_batch_depends_on_the_key_and_the_step_alone()
    {
        BatchSchedule schedule = new(7, 1000, 16);
        Assert.Equal(schedule.Indices(40), new BatchSchedule(7, 1000, 16).Indices(40));
        Assert.NotEqual(schedule.Indices(40), new BatchSchedule(8, 1000, 16).Indices(40));
        Assert.Equal(3, new BatchSchedule(7, 2, 3).Indices(5).Length);
    }
}
