using FedKSeed.Contracts;

namespace FedKSeed.Cluster.Tests;

public sealed class TelemetryTests(Servers servers)
{
    [Fact]
    public async Task A_round_is_one_trace_across_messages_and_its_instruments_say_what_happened()
    {
        using var telemetry = new RecordedTelemetry();
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "traced");
        var (accepted, rejected, committed) = (await service.Tap<ReportAccepted>(), await service.Tap<ReportRejected>(),
        await service.Tap<RoundCommitted>());
        var assignment = await service.StartRound();
        var report = new ScalarsReported
        {
            Federation = "traced",
            Assignment = assignment.Assignment,
            BaseVersion = 0,
            Examples = 1,
            Scalars = new byte[800],
            SkippedSteps = [],
        };
        await service.Publish(report with { Examples = 0 });
        await service.Next(rejected);
        await service.Publish(report);
        await service.Next(accepted);
        await service.Publish(new RoundClosed { Federation = "traced", Round = 1, Reason = "Quorum" });
        var commit = await service.Next(committed);

        var round = await telemetry.StoppedAsync("round commit", "traced");
        var assignments = await telemetry.StoppedAsync("round assignments", "traced");
        Assert.Equal(round.TraceId, assignments.TraceId);
        Assert.Contains(
            telemetry.Activities, activity => activity.Source.Name == "MassTransit" && activity.ParentSpanId == assignments.SpanId);
        var headers = commit.BasicProperties.Headers!.Values.OfType<byte[]>().Select(System.Text.Encoding.UTF8.GetString);
        Assert.Contains(
            round.TraceId.ToHexString(), System.Text.Encoding.UTF8.GetString(commit.Body.Span) + string.Join(' ', headers),
            StringComparison.Ordinal);
        foreach (var (name, unit) in new[] {
            ("fedkseed.reports.accepted", "{report}"), ("fedkseed.reports.rejected", "{report}"), ("fedkseed.rounds.committed", "{round}"),
            ("fedkseed.reports.size", "By"), ("fedkseed.commit.duration", "s") })
            Assert.Contains(telemetry.Measured, item => item.Instrument == name && item.Unit == unit && item.Value > 0);
    }

    [Fact]
    public async Task A_round_is_one_trace_from_the_clock_through_seed_service_and_worker_to_its_commit()
    {
        using var telemetry = new RecordedTelemetry();
        await using var services = await SeedServiceOnBroker.StartAsync(
            servers, "one-trace", ("HasClock", "true"), ("Federation:BaseModelDigest",
            WorkerOnBroker.Digest), ("Federation:StepsPerRound", "2"), ("Federation:Rounds", "1"));
        var closed = await services.Tap<FederationClosed>();
        await using var worker = await WorkerOnBroker.StartAsync(servers, "one-trace");
        await services.Next(closed);

        var trace = (await telemetry.StoppedAsync("round commit", "one-trace")).TraceId;
        string[] parts =
        [
            "round decision", "RoundStarted send", "round-started process", "round assignments", "client-client-1 send",
            "client-client-1 process", "ScalarsReported send", "scalars-reported process", "ReportAccepted send", "RoundClosed send",
            "round-closed process", "RoundCommitted send",
        ];
        foreach (var part in parts)
            await telemetry.StoppedAsync(
                activity => activity.TraceId == trace && activity.DisplayName.Contains(part, StringComparison.Ordinal));
    }
}
