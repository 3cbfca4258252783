using FedKSeed.Bus;
using FedKSeed.Contracts;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace FedKSeed.Cluster.Tests;

/// <summary>A worker against a wire that says wrong things, and an operator who wants to know.</summary>
public sealed class WorkerTests(Servers servers)
{
    private const string Client = SeedServiceOnBroker.Client;

    [Fact]
    public async Task What_is_of_another_base_model_is_refused_and_kept_for_the_operator_and_the_worker_goes_on()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(
            servers, "other-model", ("Federation:BaseModelDigest", WorkerOnBroker.Digest), ("Federation:StepsPerRound", "2"));
        var (assignments, requests) = (QueueNames.OfClient(Client), QueueNames.OfEvaluator("other-model"));
        var sound = await service.StartRound();
        var model = sound.Model!;
        var other = model with { BaseModelDigest = new string('b', 64) };
        var reports = await service.Tap<ScalarsReported>();
        await using var worker = await WorkerOnBroker.StartAsync(servers, "other-model");
        await worker.UntilReadyAsync();

        await service.AssertKeptAsync(
        [
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { Model = other }), "base model"),
            (requests, queue => service.Put(
                queue, "EvaluationRequested", new EvaluationRequested { Federation = "other-model", Model = other }), "base model"),
        ]);

        Assert.Equal(HealthStatus.Healthy, (await worker.ReadinessAsync()).Status);
        await service.Publish(new RoundStarted { Federation = "other-model", Round = 1, Participants = [Client] });
        Assert.Equal(1, (await service.Next<ScalarsReported>(reports)).Assignment.Round);
    }

    [Fact]
    public async Task An_assignment_that_somebody_sent_early_does_not_stand_in_for_the_true_one()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(
            servers, "early", ("Federation:BaseModelDigest", WorkerOnBroker.Digest), ("Federation:StepsPerRound", "3"));
        var sound = await service.StartRound();
        var reports = await service.Tap<ScalarsReported>();
        await using var worker = await WorkerOnBroker.StartAsync(servers, "early");
        await worker.UntilReadyAsync();
        var planted = sound with { LearningRate = sound.LearningRate * 10 };

        await service.Put(QueueNames.OfClient(Client), "SeedsAssigned", planted);
        var early = await service.Next<ScalarsReported>(reports);
        await service.Put(QueueNames.OfClient(Client), "SeedsAssigned", sound);
        var own = await service.Next<ScalarsReported>(reports);
        await service.Put(QueueNames.OfClient(Client), "SeedsAssigned", sound);
        var again = await service.Next<ScalarsReported>(reports);

        // The first step is the same one; the second is taken where the first led to.
        Assert.Equal(early.Scalars[..4], own.Scalars[..4]);
        Assert.NotEqual(early.Scalars, own.Scalars);
        Assert.Equal(own.Scalars, again.Scalars);
    }

    [Fact]
    public async Task A_worker_that_is_told_the_digest_of_another_base_model_never_announces_its_clients()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "told-otherwise");
        var announcements = await service.Tap<ClientAnnounced>();

        await using var worker = await WorkerOnBroker.StartAsync(
            servers, "told-otherwise", ("Memberships:0:BaseModelDigest", new string('b', 64)));

        Assert.Equal(HealthStatus.Unhealthy, (await worker.ReadinessAsync()).Status);
        Assert.Equal(0u, await service.ConsumersAsync(QueueNames.OfClient(Client)));
        // Five heartbeats.
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        Assert.Equal(0, await service.CountAsync(announcements));
    }

    [Fact]
    public async Task What_is_no_sound_assignment_or_request_ends_in_an_error_queue_and_the_worker_works_on()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(
            servers, "worker-poison", ("Federation:BaseModelDigest", WorkerOnBroker.Digest), ("Federation:StepsPerRound", "2"));
        var (assignments, requests) = (QueueNames.OfClient(Client), QueueNames.OfEvaluator("worker-poison"));
        var sound = await service.StartRound();
        var model = sound.Model!;
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
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { Federation = "third" }), "no member of federation"),
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { Steps = int.MaxValue }), "are no assignment"),
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { BatchSize = 1_000_000 }), "are no assignment"),
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { Seeds = [1, 2] }), "bytes, not 2"),
            (assignments, queue => service.Put(
                queue, "SeedsAssigned", sound with { Model = model with { Quantised = new byte[7] } }), "bytes, not 7"),
            (assignments, queue => service.Put(
                queue,
                "SeedsAssigned",
                sound with { Model = model with { Directions = model.Directions with { Scheme = "xorshift/1" } } }),
                "its scheme is not one of"),
            (assignments, queue => service.Put(
                queue, "SeedsAssigned", sound with { VersionDigest = new byte[32] }), "has another digest"),
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { Model = null }), "neither whole nor as a delta"),
            (assignments, queue => service.Put(queue, "SeedsAssigned", sound with { Version = 7 }), "not the one that it brings"),
            (requests, queue => service.Put(queue, [0xff]), "0xFF"),
            (requests, queue => service.Put(
                queue, "EvaluationRequested", new { federation = "worker-poison", model = (object?)null }), "null"),
            (requests, queue => service.Put(
                queue, "EvaluationRequested",
                new EvaluationRequested { Federation = "worker-poison", Model = model with { Quantised = [] } }), "bytes, not 0"),
            // Two gigabytes of nothing, in a few hundred bytes.
            (requests, queue => service.Put(queue, "EvaluationRequested", new EvaluationRequested
            {
                Federation = "worker-poison",
                Model = model with
                {
                    Directions = model.Directions with { SeedCount = 500_000_000 },
                    QuantisedBits = 0,
                    Quantised = []
                },
            }), "500000000 seeds"),
            (requests, queue => service.Put(queue, "EvaluationRequested", new EvaluationRequested
            {
                Federation = "worker-poison",
                Model = model with { QuantisedBits = 0, Quantised = [] },
            }), "0 bits"),
            (requests, queue => service.Put(queue, "EvaluationRequested", new EvaluationRequested
            {
                Federation = "worker-poison",
                Model = model with { Shift = -1 },
            }), "shift -1"),
        ];

        await service.AssertKeptAsync(poison);

        await service.Publish(new RoundStarted { Federation = "worker-poison", Round = 1, Participants = [Client] });
        Assert.Equal(
            (1, 0, 8),
            await service.Next<ScalarsReported>(reports) is var report ?
                (report.Assignment.Round, report.BaseVersion, report.Scalars.Length) :
                default);
        var evaluated = await service.Tap<ModelEvaluated>();
        await service.Put(requests, "EvaluationRequested", new EvaluationRequested { Federation = "worker-poison", Model = model });
        Assert.Equal(0, (await service.Next<ModelEvaluated>(evaluated)).Version);
    }

    [Fact]
    public async Task A_worker_that_holds_no_version_asks_for_the_whole_and_works_from_deltas_afterwards()
    {
        // A step of no length: no version differs from the one before it, so no unit is outgrown and every version comes as a delta.
        await using var service = await SeedServiceOnBroker.StartAsync(
            servers, "deltas", ("Federation:BaseModelDigest", WorkerOnBroker.Digest), ("Federation:StepsPerRound", "2"),
            ("Federation:LearningRate", "1e-12"), ("Federation:MaximumScalar", "0.001"));
        var reports = await service.Tap<ScalarsReported>();
        var (accepted, committed) = (await service.Tap<ReportAccepted>(), await service.Tap<RoundCommitted>());
        var requests = await service.Tap<VersionRequested>();
        await using (var first = await WorkerOnBroker.StartAsync(servers, "deltas"))
        {
            await first.UntilReadyAsync();
            for (var round = 1; round <= 2; round++)
            {
                await service.Publish(new RoundStarted { Federation = "deltas", Round = round, Participants = [Client] });
                Assert.Equal(round - 1, (await service.Next<ScalarsReported>(reports)).BaseVersion);
                await service.Next<ReportAccepted>(accepted);
                await service.Publish(new RoundClosed { Federation = "deltas", Round = round, Reason = "Quorum" });
                await service.Next<RoundCommitted>(committed);
            }
        }
        Assert.Equal(0, await service.CountAsync(requests));

        await using var second = await WorkerOnBroker.StartAsync(servers, "deltas");
        await second.UntilReadyAsync();
        await service.Publish(new RoundStarted { Federation = "deltas", Round = 3, Participants = [Client] });
        Assert.Equal(2, (await service.Next<ScalarsReported>(reports)).BaseVersion);
        Assert.Equal(3, (await service.Next<VersionRequested>(requests)).Assignment.Round);
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
