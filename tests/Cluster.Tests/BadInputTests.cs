using System.Runtime.InteropServices;
using FedKSeed.Bus;
using FedKSeed.Contracts;

namespace FedKSeed.Cluster.Tests;

/// <summary>Nothing that anybody can put on the wire changes the book, and all of it is answered or kept with a reason.</summary>
public sealed class BadInputTests(Servers servers)
{
    private const string Client = SeedServiceOnBroker.Client;

    [Fact]
    public async Task A_report_that_is_wrong_is_rejected_with_a_reason_that_reaches_its_client_and_changes_nothing()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "wrong-reports");
        var queue = QueueNames.OfClient(Client);
        var sound = Reports.On(await service.StartRound());
        var before = await service.Book.RefreshAsync(TestContext.Current.CancellationToken);
        (ScalarsReported Report, string Reason)[] wrong =
        [
            (sound with { Assignment = sound.Assignment with { Round = 7 } }, "there is no assignment"),
            (sound with { Assignment = sound.Assignment with { Round = -1 } }, "there is no assignment"),
            (sound with { BaseVersion = 5 }, "its assignment on 0"),
            (sound with { Examples = 0 }, "examples"),
            (sound with { Examples = int.MaxValue }, "examples"),
            (sound with { Scalars = new byte[199 * 4] }, "199 scalars"),
            (sound with { Scalars = new byte[201 * 4] }, "201 scalars"),
            (sound with { Scalars = new byte[200_000] }, "50000 scalars"),
            (sound with { Scalars = new byte[13] }, "whole number"),
            (sound with { Scalars = new byte[198 * 4], SkippedSteps = [5, 5] }, "ascending"),
            (sound with { Scalars = new byte[199 * 4], SkippedSteps = [200] }, "below 200"),
            (sound with { Scalars = Scalars(float.NaN) }, "not finite"),
            (sound with { Scalars = Scalars(float.NegativeInfinity) }, "not finite"),
            (sound with { Scalars = Scalars(1e30f) }, "beyond"),
        ];

        foreach (var (report, reason) in wrong)
        {
            await service.Publish(report);
            Assert.Contains(reason, (await service.Next<ReportRejected>(queue)).Reason, StringComparison.Ordinal);
        }

        Assert.Equal(before.Head, (await service.Book.RefreshAsync(TestContext.Current.CancellationToken)).Head);
        Assert.Empty(await service.Book.Log.ReadInHandAsync(TestContext.Current.CancellationToken));
        var accepted = await service.Tap<ReportAccepted>();
        await service.Publish(sound);
        Assert.Equal(Client, (await service.Next<ReportAccepted>(accepted)).Assignment.Client);
    }

    [Fact]
    public async Task A_report_in_the_name_of_another_is_rejected_for_the_operator_and_makes_no_queue()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "impostors");
        var sound = Reports.On(await service.StartRound());
        var rejections = await service.Tap<ReportRejected>();

        await service.Publish(sound with { Assignment = sound.Assignment with { Client = "mallory" } });

        Assert.Contains("there is no assignment", (await service.Next<ReportRejected>(rejections)).Reason, StringComparison.Ordinal);
        Assert.False(await service.Exists(QueueNames.OfClient("mallory")));
    }

    [Fact]
    public async Task A_body_that_is_no_message_of_this_version_ends_in_the_error_queue_with_its_reason()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "poison");
        var sound = Reports.On(await service.StartRound());
        var before = await service.Book.RefreshAsync(TestContext.Current.CancellationToken);
        var reports = "fedkseed-service-scalars-reported";
        static object Report(object round, byte[]? scalars) => new
        {
            federation = "poison",
            round,
            client = Client,
            baseVersion = 0,
            examples = 1,
            scalars,
            skippedSteps = Array.Empty<int>()
        };
        (string Queue, Func<string, Task> Put, string Reason)[] poison =
        [
            (reports, queue => service.Put(queue, []), ""),
            (reports, queue => service.Put(queue, "ScalarsReported2", sound), "dead-letter"),
            (reports, queue => service.Put(queue, "not json"u8.ToArray()), ""),
            (reports, queue => service.Put(queue, "{\"messageType\":[],\"message\":null}"u8.ToArray()), ""),
            (reports, queue => service.Put(queue, [0xff, 0xfe, 0x00]), ""),
            (reports, queue => service.Put(queue, "ScalarsReported", new { federation = "poison", round = 1 }), "required"),
            (reports, queue => service.Put(queue, "ScalarsReported", Report(round: 1, scalars: null)), "null"),
            (reports, queue => service.Put(queue, "ScalarsReported", Report(round: "one", scalars: new byte[4])), ""),
            ("fedkseed-service-round-closed", queue => service.Put(
                queue, "RoundClosed", new { federation = "poison", round = 1, reason = "17" }), "not one of"),
            ("fedkseed-service-close-federation", queue => service.Put(
                queue, "CloseFederation", new { federation = "poison", reason = "Bored", version = 0 }), "not one of"),
            ("fedkseed-service-round-started", queue => service.Put(
                queue, "RoundStarted", new { federation = "poison", round = 2, participants = new[] { "../etc" } }), "no name of a client"),
            ("fedkseed-service-client-announced", queue => service.Put(
                queue, "ClientAnnounced",
                new { federation = "poison", client = "{x}", worker = "w", examples = 1, device = "cpu" }), "no name of a client"),
            ("fedkseed-service-model-evaluated", queue => service.Put(
                queue, "ModelEvaluated",
                new { federation = "poison", version = 0, examples = 10, loss = 1.0, exactMatch = 7.0, rougeL = 0.5 }), "no evaluation"),
        ];

        await service.AssertKeptAsync(poison);

        Assert.Equal(before.Head, (await service.Book.RefreshAsync(TestContext.Current.CancellationToken)).Head);
        Assert.Empty(await service.Book.Log.ReadInHandAsync(TestContext.Current.CancellationToken));
        var accepted = await service.Tap<ReportAccepted>();
        await service.Publish(sound);
        Assert.Equal(Client, (await service.Next<ReportAccepted>(accepted)).Assignment.Client);
    }

    [Fact]
    public async Task An_oversized_body_is_refused_by_the_broker_which_says_why()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "oversized");
        await service.StartRound();

        var fault = await Assert.ThrowsAnyAsync<Exception>(
            () => service.Put("fedkseed-service-scalars-reported", new byte[(1 << 20) + 1]));

        Assert.Contains("larger than configured max size", fault.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_participant_without_a_queue_does_not_keep_the_others_waiting()
    {
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "absent");

        await service.Publish(new RoundStarted { Federation = "absent", Round = 1, Participants = ["a-absent", Client, "z-absent"] });

        Assert.Equal(1, (await service.Next<SeedsAssigned>(QueueNames.OfClient(Client))).Assignment.Round);
    }

    private static byte[] Scalars(float odd)
    {
        var scalars = new float[200];
        scalars[117] = odd;
        return MemoryMarshal.AsBytes(scalars.AsSpan()).ToArray();
    }
}
