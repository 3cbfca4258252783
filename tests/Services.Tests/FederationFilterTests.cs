using FedKSeed.Contracts;
using MassTransit;

namespace FedKSeed.Services.Tests;

public class FederationFilterTests(RedisServer redis)
{
    [Fact]
    public async Task A_message_of_another_federation_reaches_no_consumer()
    {
        await using var services = await ServiceHost.StartAsync(redis, "ours", rounds: true);
        await services.Publish(new RoundStarted { Federation = "theirs", Round = 1, Participants = ["a"] });
        // A consumer that saw this would fail on it, and say so.
        await services.Publish(new RoundStarted { Federation = "theirs", Round = 1, Participants = ["../etc"] });
        await services.Publish(
            new ClientAnnounced { Federation = "theirs", Client = "a", Worker = "w", Examples = 1, Device = "cpu" });
        await services.Publish(new RoundClosed { Federation = "theirs", Round = 1, Reason = "17" });

        await services.Publish(new RoundStarted { Federation = "ours", Round = 1, Participants = ["a"] });
        await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Federation == "ours");
        await services.Publish(new RoundClosed { Federation = "ours", Round = 1, Reason = "17" });
        await services.Published.WaitFor<Fault<RoundClosed>>(fault => fault.Message.Federation == "ours");

        Assert.Single(services.Published.All<Fault<RoundClosed>>());
        Assert.Empty(services.Published.All<Fault<RoundStarted>>());
        Assert.Single(services.Client.All<SeedsAssigned>());
        Assert.False((await services.Book.RefreshAsync(TestContext.Current.CancellationToken)).HasAssigned("../etc"));
    }
}
