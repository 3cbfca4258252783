using FedKSeed.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace FedKSeed.Cluster.Tests;

/// <summary>A worker against a wire that says wrong things, and an operator who wants to know.</summary>
public sealed class WorkerTests(Servers servers)
{
    private const string Client = SeedServiceOnBroker.Client;

    [Fact]
    public async Task A_worker_that_learns_from_an_assignment_of_another_base_model_withdraws_and_keeps_the_message_for_the_operator()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "other-model");
        await using var worker = await WorkerOnBroker.StartAsync(servers, "other-model");
        await worker.UntilReadyAsync();

        await service.Publish(new RoundStarted { Federation = "other-model", Round = 1, Participants = [Client] });

        Assert.Contains("base model", await service.ReasonInErrorQueue(service.Name.QueueOf(Client), ""), StringComparison.Ordinal);
        var readiness = await worker.ReadinessAsync();
        Assert.Equal(HealthStatus.Unhealthy, readiness.Status);
        Assert.Contains(readiness.Entries.Values, entry => entry.Description == "the federation has another base model");
        // Nobody reads the client's queue any more: what comes waits for a worker with the right model.
        await service.UntilConsumersAsync(service.Name.QueueOf(Client), 0);
        await service.Publish(new RoundStarted { Federation = "other-model", Round = 1, Participants = [Client] });
        Assert.Equal(1, (await service.Next<SeedsAssigned>(service.Name.QueueOf(Client))).Assignment.Round);
    }

    [Fact]
    public async Task A_worker_that_is_told_the_digest_of_another_base_model_never_announces_its_clients()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "told-otherwise");
        var announcements = await service.Tap<ClientAnnounced>();

        await using var worker = await WorkerOnBroker.StartAsync(
            servers, "told-otherwise", ("Federation:BaseModelDigest", new string('b', 64)));

        Assert.Equal(HealthStatus.Unhealthy, (await worker.ReadinessAsync()).Status);
        Assert.Equal(0u, await service.ConsumersAsync(service.Name.QueueOf(Client)));
        // Five heartbeats.
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        Assert.Equal(0, await service.CountAsync(announcements));
    }

    [Fact]
    public async Task What_is_no_sound_assignment_or_request_ends_in_an_error_queue_and_the_worker_works_on()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(
            servers, "worker-poison", ("Federation:BaseModelDigest", WorkerOnBroker.Digest), ("Federation:StepsPerRound", "2"));
        var (assignments, requests) = (service.Name.QueueOf(Client), "fedkseed-worker-poison-evaluation-requested");
        var sound = await service.StartRound();
        var reports = await service.Tap<ScalarsReported>();
        await using var worker = await WorkerOnBroker.StartAsync(servers, "worker-poison");
        await worker.UntilReadyAsync();
        (string Queue, Func<string, Task> Put, string Reason)[] poison =
        [
            (assignments, queue => service.Put(queue, "not json"u8.ToArray()), "JSON"),
            (assignments, queue => service.Put(queue, "SeedsAssigned2", sound), "dead-letter"),
            (assignments, queue => service.Put(queue, "SeedsAssigned", new { federation = "worker-poison", round = 1 }), "required"),
            (assignments, queue => service.Put(
                queue,
                "SeedsAssigned",
                sound with { Assignment = sound.Assignment with { Client = "client-2" } }), "works for no client"),
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { Steps = int.MaxValue }), "are no assignment"),
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { BatchSize = 1_000_000 }), "are no assignment"),
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { Seeds = [1, 2] }), "bytes, not 2"),
            (assignments, queue => service.Put(
                queue, "SeedsAssigned", sound with { Model = sound.Model with { Quantised = new byte[7] } }), "bytes, not 7"),
            (assignments, queue => service.Put(
                queue,
                "SeedsAssigned",
                sound with { Model = sound.Model with { Directions = sound.Model
                    .Directions with { Scheme = "xorshift/1" } } }), "xorshift/1"),
            (requests, queue => service.Put(queue, [0xff]), "0xFF"),
            (requests, queue => service.Put(
                queue, "EvaluationRequested", new { federation = "worker-poison", model = (object?)null }), "null"),
            (requests, queue => service.Put(
                queue, "EvaluationRequested",
                new EvaluationRequested { Federation = "worker-poison", Model = sound.Model with { Quantised = [] } }), "bytes, not 0"),
        ];

        await service.AssertKeptAsync(poison);

        await service.Publish(new RoundStarted { Federation = "worker-poison", Round = 1, Participants = [Client] });
        Assert.Equal(
            (1, 0, 8),
            await service.Next<ScalarsReported>(reports) is var report ?
                (report.Assignment.Round, report.BaseVersion, report.Scalars.Length) :
                default);
        var evaluated = await service.Tap<ModelEvaluated>();
        await service.Publish(new EvaluationRequested { Federation = "worker-poison", Model = sound.Model });
        Assert.Equal(0, (await service.Next<ModelEvaluated>(evaluated)).Version);
    }

    [Fact]
    public async Task Its_instruments_say_what_it_did()
    {
        using var telemetry = new RecordedTelemetry();
        await using var service = await SeedServiceOnBroker.StartAsync(
            servers, "measured", ("Federation:BaseModelDigest", WorkerOnBroker.Digest), ("Federation:StepsPerRound", "3"));
        await using var worker = await WorkerOnBroker.StartAsync(servers, "measured");
        await worker.UntilReadyAsync();
        var reports = await service.Tap<ScalarsReported>();

        await service.Publish(new RoundStarted { Federation = "measured", Round = 1, Participants = [Client] });
        await service.Next<ScalarsReported>(reports);

        foreach (var (name, unit) in new[] {
            ("fedkseed.steps", "{step}"), ("fedkseed.assignments.size", "By"), ("fedkseed.step.duration", "s"),
            ("fedkseed.rebuild.duration", "s") })
            Assert.Contains(telemetry.Measured, item => item.Instrument == name && item.Unit == unit && item.Value > 0);
        Assert.True(telemetry.Measured.Count(item => item.Instrument == "fedkseed.steps") >= 3);
    }
}
