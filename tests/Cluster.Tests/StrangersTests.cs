using System.Text.Json;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.LocalServers;

namespace FedKSeed.Cluster.Tests;

/// <summary>What somebody with a password can put on the broker costs the others little, whatever it is.</summary>
public sealed class StrangersTests(Servers servers)
{
    private const string Client = SeedServiceOnBroker.Client;

    [Fact]
    public async Task Addresses_in_an_envelope_lead_nowhere_and_the_service_goes_on()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "addressed");
        var sound = await service.StartRound();
        // More than a service holds at once.
        for (var k = 0; k < 20; k++)
            await service.Put(
                "fedkseed-service-round-closed", "RoundClosed", new { federation = "addressed", round = 1, reason = "17" },
                new Uri($"queue:a-stranger-s-{k}"));

        for (var k = 0; k < 20; k++)
            Assert.Contains(
                "not one of", await service.ReasonInErrorQueue("fedkseed-service-round-closed", ""), StringComparison.Ordinal);

        Assert.False(await service.Exists("a-stranger-s-0"));
        var committed = await service.Tap<RoundCommitted>();
        await service.Publish(new RoundClosed { Federation = "addressed", Round = sound.Assignment.Round, Reason = "Deadline" });
        Assert.Equal(1, (await service.Next<RoundCommitted>(committed)).Version);
    }

    [Fact]
    public async Task Every_queue_is_bounded_and_what_could_not_be_worked_off_expires()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(
            servers, "bounded", ("Federation:BaseModelDigest", WorkerOnBroker.Digest));
        await using var worker = await WorkerOnBroker.StartAsync(servers, "bounded");
        await worker.UntilReadyAsync();
        await service.Put("fedkseed-service-round-closed", "not json"u8.ToArray());
        await service.ReasonInErrorQueue("fedkseed-service-round-closed", "");
        await service.Put(QueueNames.OfClient(Client), "not json"u8.ToArray());
        await service.ReasonInErrorQueue(QueueNames.OfClient(Client), "");
        await service.Put("fedkseed-service-scalars-reported", "ScalarsReported2", new { });
        await service.ReasonInErrorQueue("fedkseed-service-scalars-reported", "");

        var said = await RabbitMqServer.ControlAsync(
            servers.Broker.Node, TestContext.Current.CancellationToken, "list_queues", "-p", servers.Of("bounded").VirtualHost, "name",
            "arguments", "--formatter", "json");

        var queues = JsonDocument.Parse(said).RootElement.EnumerateArray()
            .Select(queue => (Name: queue.GetProperty("name").GetString()!, Arguments: Arguments(queue.GetProperty("arguments"))))
            .Where(queue => queue.Name.StartsWith("fedkseed-", StringComparison.Ordinal)).ToArray();
        // Nine of SeedService, two of RoundService, the client's, the evaluator's, and two of errors at least.
        Assert.True(queues.Length >= 15, string.Join(", ", queues.Select(queue => queue.Name)));
        Assert.All(
            queues.Where(queue => queue.Name is "fedkseed-client-client-1" or "fedkseed-evaluator-bounded"),
            queue => Assert.Contains("x-expires", queue.Arguments.Keys));
        Assert.All(queues, queue => Assert.Superset(
            new HashSet<string> { "x-max-length", "x-max-length-bytes" }, queue.Arguments.Keys.ToHashSet()));
        Assert.All(queues.Where(queue => queue.Name.EndsWith("_error", StringComparison.Ordinal)), queue =>
        {
            Assert.Contains("x-message-ttl", queue.Arguments.Keys);
            // Nobody reads these: they would go with what somebody is to look at.
            Assert.DoesNotContain("x-expires", queue.Arguments.Keys);
            Assert.InRange(long.Parse(queue.Arguments["x-max-length-bytes"], null), 1, 64 << 20);
        });
        Assert.Equal(
            "reject-publish", queues.Single(queue => queue.Name == "fedkseed-service-scalars-reported").Arguments["x-overflow"]);
    }

    [Fact]
    public async Task Large_messages_of_nothing_do_not_fill_the_broker_s_disk()
    {
        const int OneMegabyte = 1_000_000, Sent = 60;
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "floods");
        var sound = await service.StartRound();
        var nothing = new byte[OneMegabyte];
        Array.Fill(nothing, (byte)'[');

        for (var k = 0; k < Sent; k++)
            await service.Put("fedkseed-service-scalars-reported", nothing);

        var accepted = await service.Tap<ReportAccepted>();
        await service.Publish(Reports.On(sound));
        Assert.Equal(Client, (await service.Next<ReportAccepted>(accepted)).Assignment.Client);
        // All sixty went by; what is kept is 32 MiB of them, and what the broker is about to drop. Its own count comes a moment later.
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var kept = 0L;
        while (kept == 0)
        {
            kept = (await RabbitMqServer.QueuesAsync(servers.Broker.Node, timeout.Token, servers.Of("floods").VirtualHost))
                .Single(queue => queue.Name == "fedkseed-service-scalars-reported_error").Messages;
            await Task.Delay(100, timeout.Token);
        }
        Assert.InRange(kept, 1, 40);
    }

    private static Dictionary<string, string> Arguments(JsonElement arguments) => arguments.ValueKind == JsonValueKind.Object
        ? arguments.EnumerateObject().ToDictionary(argument => argument.Name, argument => argument.Value.ToString())
        : arguments.EnumerateArray().ToDictionary(argument => argument[0].ToString(), argument => argument[2].ToString());

    [Fact]
    public async Task A_message_of_another_federation_is_dropped_and_lands_in_no_error_queue()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "neighbours");
        for (var round = 1; round <= 5; round++)
            await service.Publish(new RoundClosed { Federation = "somebody-elses", Round = round, Reason = "Quorum" });
        var assigned = await service.StartRound();
        var accepted = await service.Tap<ReportAccepted>();
        await service.Publish(Reports.On(assigned));
        await service.Next<ReportAccepted>(accepted);
        await service.Publish(new RoundClosed { Federation = "neighbours", Round = 1, Reason = "Quorum" });
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while ((await service.Book.RefreshAsync(timeout.Token)).Version == 0)
            await Task.Delay(20, timeout.Token);
        Assert.False(await service.Exists("fedkseed-service-round-closed_error"));
    }
}
