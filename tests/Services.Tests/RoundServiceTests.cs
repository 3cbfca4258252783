using FedKSeed.Contracts;

namespace FedKSeed.Services.Tests;

public class RoundServiceTests(RedisServer redis)
{
    [Fact]
    public async Task A_federation_runs_from_its_first_client_to_its_end()
    {
        await using var services = await ServiceHost.StartAsync(redis, "runs", rounds: true);
        await services.Publish(Announcement("runs"));
        for (var round = 1; round <= 3; round++)
        {
            var assignment = await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Assignment.Round == round);
            Assert.Equal(round - 1, assignment.Version);
            await services.Publish(Report(assignment));
        }
        var closed = await services.Published.WaitFor<FederationClosed>(_ => true);
        Assert.Equal(("Completed", 3), (closed.Reason, closed.Version));
    }

    [Fact]
    public async Task A_silent_client_does_not_hold_up_its_round_beyond_the_deadline()
    {
        await using var services = await ServiceHost.StartAsync(
            redis, "silent", rounds: true, ("Federation:RoundDeadline", "00:00:01"), ("Federation:Rounds", "1"));
        await services.Publish(Announcement("silent"));
        var committed = await services.Published.WaitFor<RoundCommitted>(_ => true);
        Assert.Equal(0, committed.Reports);
        await services.Published.WaitFor<FederationClosed>(_ => true);
    }

    [Fact]
    public async Task After_a_restart_an_open_round_is_assigned_again_to_those_who_did_not_report()
    {
        await using (var before = await ServiceHost.StartAsync(redis, "again", rounds: true))
        {
            await before.Publish(Announcement("again"));
            await before.Client.WaitFor<SeedsAssigned>(_ => true);
        }
        await using var after = await ServiceHost.StartAsync(redis, "again", rounds: true);
        await after.Publish(Announcement("again"));
        var assignment = await after.Client.WaitFor<SeedsAssigned>(assigned => assigned.Assignment.Round == 1);
        await after.Publish(Report(assignment));
        await after.Published.WaitFor<RoundCommitted>(committed => committed.Version == 1);
    }

    [Fact]
    public async Task After_a_restart_each_client_of_an_open_round_is_assigned_again_when_it_is_heard_of_and_not_before()
    {
        (string, string)[] settings = [("Federation:MinimumClients", "2"), ("RoundService:ClientTimeout", "00:05:00")];
        await using (var before = await ServiceHost.StartAsync(redis, "heard", rounds: true, settings))
        {
            await before.Publish(Announcement("heard") with { Client = "silent" });
            await before.Publish(Announcement("heard"));
            await before.Client.WaitFor<SeedsAssigned>(_ => true);
        }
        await using var after = await ServiceHost.StartAsync(redis, "heard", rounds: true, settings);
        // Ten ticks.
        await Task.Delay(TimeSpan.FromMilliseconds(500), TestContext.Current.CancellationToken);
        Assert.Empty(after.Published.All<RoundStarted>());

        await after.Publish(Announcement("heard"));
        Assert.Equal(1, (await after.Client.WaitFor<SeedsAssigned>(_ => true)).Assignment.Round);
        Assert.Equal(["a"], Assert.Single(after.Published.All<RoundStarted>()).Participants);
    }

    [Fact]
    public async Task A_client_of_a_continuous_federation_gets_its_next_assignment_in_the_round_that_it_reported_in()
    {
        await using var services = await ServiceHost.StartAsync(
            redis, "turns", rounds: true, ("Federation:CommitEvery", "3"), ("Federation:Rounds", "1"));
        await services.Publish(Announcement("turns"));
        for (var turn = 0; turn < 3; turn++)
        {
            var assignment = await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Assignment.Turn == turn);
            Assert.Equal((1, 0), (assignment.Assignment.Round, assignment.Version));
            await services.Publish(Report(assignment));
        }
        Assert.Equal(3, (await services.Published.WaitFor<RoundCommitted>(_ => true)).Reports);
    }

    [Fact]
    public async Task Of_two_round_services_one_has_the_clock_and_the_other_takes_it_over()
    {
        await using var first = await ServiceHost.StartAsync(redis, "clocks", rounds: true);
        await first.Publish(Announcement("clocks"));
        await Report(first, round: 1);
        await using var second = await ServiceHost.StartAsync(redis, "clocks", rounds: true);
        await first.Client.WaitFor<SeedsAssigned>(assigned => assigned.Assignment.Round == 2);
        Assert.Empty(second.Published.All<RoundStarted>());

        await first.DisposeAsync();
        await second.Publish(Announcement("clocks"));
        await Report(second, round: 2);
        await Report(second, round: 3);
        await second.Published.WaitFor<FederationClosed>(closed => closed.Version == 3);
    }

    [Fact]
    public async Task A_continuous_federation_goes_on_while_one_of_its_clients_is_silent()
    {
        await using var services = await ServiceHost.StartAsync(
            redis, "continuous", rounds: true, ("Federation:CommitEvery", "1"), ("Federation:MinimumClients", "2"));
        await services.Publish(Announcement("continuous"));
        await services.Publish(Announcement("continuous") with { Client = "silent" });
        for (var round = 1; round <= 3; round++)
            await Report(services, round);
        await services.Published.WaitFor<FederationClosed>(closed => closed.Version == 3);
    }

    private static async Task Report(ServiceHost services, int round)
    {
        var assignment = await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Assignment.Round == round);
        await services.Publish(Report(assignment));
    }

    private static ClientAnnounced Announcement(string federation) =>
        new() { Federation = federation, Client = "a", Worker = "test", Examples = 10, Device = "cpu" };

    private static ScalarsReported Report(SeedsAssigned assignment) => new()
    {
        Federation = assignment.Federation,
        Assignment = assignment.Assignment,
        BaseVersion = assignment.Version,
        Examples = 10,
        Scalars = new byte[assignment.Steps * sizeof(float)],
        SkippedSteps = [],
    };
}
